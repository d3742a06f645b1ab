"""The shipped model, service and monitoring files: they load, and every setting is documented."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from configs.checks import CHECKS_YAML, Checks, read_checks
from configs.gates import GATES_YAML, Gates
from configs.model import read_model
from configs.monitoring import MONITORING_YAML, Monitoring, read_monitoring
from configs.service import SERVICE_YAML, ServiceConfig, read_service
from configs.source import ConfigError

ROOT = Path(__file__).parents[2]
SETTINGS = [
    (SERVICE_YAML, ServiceConfig, read_service),
    (MONITORING_YAML, Monitoring, read_monitoring),
    (CHECKS_YAML, Checks, read_checks),
]
FIELDS = [(path, kind, field.name) for path, kind, _ in SETTINGS for field in msgspec.structs.fields(kind)]
UNITS = {
    "s": "seconds",
    "ms": "milliseconds",
    "bytes": "bytes",
    "rows": "rows",
}  # last word of a name: how it is written out
MIB, GIB = 2**20, 2**30


@pytest.fixture(autouse=True)
def nothing_overrides(monkeypatch):
    for _, _, name in FIELDS:
        monkeypatch.delenv(f"SCORER_{name.upper()}", raising=False)


def comment(path, name):
    """What stands beside `name` in `path`."""
    (line,) = [line for line in path.read_text().splitlines() if line.startswith(f"{name}:")]
    _, _, said = line.partition("#")
    return said.strip()


@pytest.mark.parametrize("path", sorted((ROOT / "configs/models").glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_model_file_loads_and_says_what_it_is(path):
    assert read_model(path).description


@pytest.mark.parametrize("path", sorted((ROOT / "configs/models").glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_model_file_gives_each_value_its_reason(path):
    values = [line.strip() for line in path.read_text().splitlines() if re.match(r" +\w+: \S", line)]
    assert values
    assert [line for line in values if "#" not in line] == []


def bounds(kind=Gates, prefix=""):
    """Every number of the gates file by its key, those inside of others too."""
    for field in msgspec.inspect.type_info(kind).fields:
        if isinstance(field.type, msgspec.inspect.StructType):
            yield from bounds(field.type.cls, "  ")
        elif isinstance(field.type, msgspec.inspect.IntType | msgspec.inspect.FloatType):
            yield f"{prefix}{field.name}", field.type


@pytest.mark.parametrize(("name", "kind"), list(bounds()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_bound_of_the_gates_has_its_range_and_its_basis_beside_it(name, kind):
    said = comment(GATES_YAML, name)
    assert len(re.split(r"[;:,]", said)[-1].split()) >= 3, "a basis, after the range and what is measured"
    if (kind.ge, kind.le) != (None, None):
        assert stated_range(said) == (kind.ge, kind.le)


@pytest.mark.parametrize(("path", "kind", "read"), SETTINGS, ids=["service", "monitoring", "checks"])
def test_every_setting_stands_in_its_file_and_none_beside_them(path, kind, read):
    assert set(yaml.safe_load(path.read_text())) == {field.name for field in msgspec.structs.fields(kind)}
    assert isinstance(read(), kind)


@pytest.mark.parametrize(("path", "kind", "name"), FIELDS, ids=[name for *_, name in FIELDS])
def test_every_setting_is_documented_with_unit_range_and_reason(path, kind, name):
    said = comment(path, name)
    assert len(said.split()) >= 4, "a reason"
    unit = UNITS.get(name.rsplit("_", 1)[-1])
    if unit:
        assert said.startswith(unit)
    field = next(field for field in msgspec.inspect.type_info(kind).fields if field.name == name).type
    if isinstance(field, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        assert stated_range(said) == (field.ge, field.le)


def stated_range(said):
    """The range that a comment states, `60..86400` or `1 MiB..1 GiB`."""
    sizes = {"": 1, "MiB": MIB, "GiB": GIB}
    match = re.search(r"(-?[\d.]+?) ?(MiB|GiB)?\.\.([\d.]+) ?(MiB|GiB)?\b", said)
    assert match, f"no range in {said!r}"
    low, low_unit, high, high_unit = match.groups()
    return float(low) * sizes[low_unit or ""], float(high) * sizes[high_unit or ""]


@pytest.mark.parametrize(("path", "kind", "name"), FIELDS, ids=[name for *_, name in FIELDS])
def test_every_setting_yields_to_the_environment(path, kind, name, monkeypatch):
    read = next(read for _, its_kind, read in SETTINGS if its_kind is kind)
    field = next(field for field in msgspec.inspect.type_info(kind).fields if field.name == name).type
    if isinstance(field, msgspec.inspect.BoolType):
        other = str(not getattr(read(), name)).lower()
    elif isinstance(field, msgspec.inspect.LiteralType):
        (other, *_) = [value for value in field.values if value != getattr(read(), name)]
    elif isinstance(field, msgspec.inspect.StrType):
        other = "http://elsewhere" if name.endswith(("_endpoint", "_origins")) else "elsewhere"
        other = "postgresql://elsewhere" if name == "outcomes_url" else other
    else:
        other = str(field.le)
    assert str(getattr(read(), name)).lower() != other
    monkeypatch.setenv(f"SCORER_{name.upper()}", other)
    assert str(getattr(read(), name)).lower().removesuffix(".0") == other


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("network: {layers: [8], member: 2}", "network.member"),
        ("network: {layers: [0]}", "network.layers[0]"),
        ("network: {dropout: 1}", "network.dropout"),
        ("network: {activation: swish}", "network.activation"),
        ("encoding: {bins: 1}", "encoding.bins"),
        ("training: {learning_rate: 2}", "training.learning_rate"),
        ("training: {learning_rate: nan}", "training.learning_rate"),
        ("training: {steps: 0}", "training.steps"),
        ("training: {steps: 2.5}", "training.steps"),
        ("split: {test: 0}", "split.test"),
        ("network: {members: 3}", "network.members"),  # of eight folds, five would be in nobody's validation part
    ],
)
def test_a_model_file_that_makes_no_sense_is_refused_at_its_key(tmp_path, text, key):
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_model(path)
    assert (caught.value.path, caught.value.key) == (str(path), key)
    assert caught.value.remedy
