"""The shipped rollout file: it loads, and every key has its unit, range and reason beside it."""

import re

import msgspec
import pytest

from configs.rollout import ROLLOUT_YAML, Canary, Objectives, RolloutConfig, read_rollout
from configs.service import read_service
from tests.configs.test_shipped import UNITS, stated_range

SECTIONS = {"canary", "objectives"}
FIELDS = [
    field
    for kind in (RolloutConfig, Canary, Objectives)
    for field in msgspec.inspect.type_info(kind).fields
    if field.name not in SECTIONS
]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_setting_is_documented_with_unit_range_and_reason(field):
    (line,) = re.findall(rf"^ *{field.name}: (?:.*?)  ?# (.*)$", ROLLOUT_YAML.read_text(), re.MULTILINE)
    assert len(line.split()) >= 4, "a reason"
    if unit := UNITS.get(field.name.rsplit("_", 1)[-1]):
        assert line.startswith(unit)
    if isinstance(field.type, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        assert stated_range(line) == (field.type.ge, field.type.le)


def test_it_listens_where_the_service_would_and_drains_as_long_as_that_may_answer():
    rollout, service = read_rollout(), read_service()
    assert (rollout.port, rollout.grpc_port) == (3000, service.grpc_port)
    assert rollout.drain_s >= service.timeout_s
    assert rollout.stop_s > service.grace_s
