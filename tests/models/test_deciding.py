"""Decisions: the band, and thresholds of each applicant; one by one, in batches and in columns alike."""

import json

import msgspec
import numpy as np
import pytest

from configs.dataset import Dataset, Source, Target
from configs.feature import Feature
from configs.policy import CostOf, Costs, Refer
from models.deciding import DecisionRule, decide
from models.errors import Rejected
from models.request import RequestDecoder
from models.schema import Schema

FEATURES = (
    Feature(name="amount", type="number", minimum=1, maximum=1e6),
    Feature(name="fee", type="number", minimum=0.01, maximum=1e4, protected=True),
    Feature(name="job", type="categorical", categories=("a", "b")),
    Feature(name="age", type="integer", minimum=18, maximum=99, protected=True),
)
OWN = Costs(missed_event=CostOf(column="amount", times=0.6), false_alarm=CostOf(column="fee", times=1.7))
ALIKE = Costs(missed_event=5, false_alarm=1)


def schema_of(costs, refer=None):
    source, target = Source(path="none"), Target(column="paid", event="no")
    return Schema(Dataset(name="loans", source=source, target=target, costs=costs, refer=refer, features=FEATURES))


def rows_of(schema, amounts, fees):
    applicants = [{"amount": a, "fee": f, "job": "a"} for a, f in zip(amounts, fees, strict=True)]
    return [msgspec.convert(one, schema.row) for one in applicants]


def test_the_band_begins_with_its_start_and_ends_before_its_end():
    refer = Refer(start=0.12, end=0.22)
    found = [decide(p, 1 / 6, refer) for p in (0.1199999, 0.12, 1 / 6, 0.2199999, 0.22)]
    assert found == ["approve", "refer", "refer", "refer", "decline"]


def test_beside_the_band_the_threshold_decides():
    """Where each applicant has its own threshold, it may lie outside the band."""
    refer = Refer(start=0.12, end=0.22)
    assert [decide(p, 0.4, refer) for p in (0.1, 0.2, 0.3, 0.4)] == ["approve", "refer", "approve", "decline"]
    assert [decide(p, 0.05, refer) for p in (0.04, 0.06, 0.2, 0.3)] == ["approve", "decline", "refer", "decline"]


@pytest.mark.parametrize("refer", [None, Refer(start=0.2, end=0.4)])
def test_each_applicant_is_decided_by_its_own_costs_and_alike_in_rows_batches_and_columns(refer):
    schema = schema_of(OWN, refer)
    rule, rng = DecisionRule(schema), np.random.default_rng(0)
    amounts, fees = rng.uniform(1, 1000, 500), rng.uniform(0.01, 500, 500)
    probabilities = rng.uniform(0, 1, 500).astype(np.float32).tolist()
    rows = rows_of(schema, amounts.tolist(), fees.tolist())
    together = rule.of_rows(probabilities, rows)
    assert together == [rule.of_row(p, row) for p, row in zip(probabilities, rows, strict=True)]
    thresholds = rule.thresholds({"amount": amounts, "fee": fees})
    assert together == [decide(p, t, refer) for p, t in zip(probabilities, thresholds.tolist(), strict=True)]
    for probability, amount, fee, decision in zip(probabilities, amounts, fees, together, strict=True):
        declining_is_cheaper = (1 - probability) * 1.7 * fee < probability * 0.6 * amount
        if refer is None:
            assert (decision == "decline") == declining_is_cheaper
    assert set(together) == {"approve", "decline"} | ({"refer"} if refer else set())


def test_at_its_own_threshold_an_applicant_is_declined():
    rule = DecisionRule(schema_of(OWN))
    (row,) = rows_of(schema_of(OWN), [17.0], [6.0])
    at = 6.0 * 1.7 / (6.0 * 1.7 + 17.0 * 0.6)
    assert [rule.of_row(p, row) for p in (np.nextafter(at, 0), at)] == ["approve", "decline"]


def test_only_a_plain_rule_is_one_threshold():
    assert DecisionRule(schema_of(ALIKE)).is_plain
    assert not DecisionRule(schema_of(ALIKE, Refer(start=0.1, end=0.2))).is_plain
    assert not DecisionRule(schema_of(OWN)).is_plain


def test_a_protected_column_that_decides_has_to_be_sent_and_other_protected_ones_need_not():
    applicant = {"amount": 10, "job": "a", "application_id": "1"}
    for costs, needed in ((ALIKE, False), (OWN, True)):
        schema = schema_of(costs)
        decoder = RequestDecoder(schema, 10)
        assert ("fee" in schema.json_schema["required"]) == needed
        assert "age" not in schema.json_schema["required"]
        body = json.dumps({"applicants": [applicant]}).encode()
        if needed:
            with pytest.raises(Rejected) as caught:
                decoder.decode(body)
            assert [(one.field, one.message) for one in caught.value.details] == [("fee", "is missing")]
        else:
            assert len(decoder.decode(body)) == 1
        assert len(decoder.decode(json.dumps({"applicants": [applicant | {"fee": 3}]}).encode())) == 1
        assert "fee" not in [feature.name for feature in schema.inputs]
