"""The dataset file: what makes no sense is refused, by file, key and remedy."""

import copy
import re
from pathlib import Path

import msgspec
import pytest
import yaml

from configs.dataset import read_dataset
from configs.source import ConfigError

ROOT = Path(__file__).parents[2]
GOOD = {
    "name": "loans_2",
    "source": {"path": "loans.csv"},
    "target": {"column": "outcome", "event": "late"},
    "costs": {"missed_event": "3", "false_alarm": "1"},
    "features": [
        {"name": "purpose", "type": "categorical", "categories": ["car", "house"]},
        {"name": "age", "type": "integer", "minimum": "18", "maximum": "99", "protected": "true"},
        {"name": "balance", "type": "number", "nullable": "true"},
    ],
    "audit": [{"column": "purpose", "groups": {"wheels": ["car"]}}, {"column": "age", "edges": ["25", "60"]}],
}


@pytest.fixture
def reading(tmp_path):
    """`reading(**changes)`: reads the good file with some values changed, `features.0.name` as `features__0__name`."""

    def read(**changes):
        content = copy.deepcopy(GOOD)
        for place, value in changes.items():
            *parents, last = [int(part) if part.isdigit() else part for part in place.split("__")]
            parent = content
            for part in parents:
                parent = parent[part]
            if value is None:
                del parent[last]
            else:
                parent[last] = value
        path = tmp_path / "loans.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True))
        return read_dataset(path)

    return read


def test_the_good_file_is_read(reading):
    dataset = reading()
    assert [feature.name for feature in dataset.features] == ["purpose", "age", "balance"]
    assert (dataset.features[1].lowest, dataset.features[1].highest) == (18, 99)
    assert dataset.threshold == 0.25


def test_the_example_of_the_documentation_is_a_dataset_file(reading):
    page = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(source:.*?)```", page, re.DOTALL)
    shown = yaml.safe_load(block)
    dataset = reading(source=shown["source"], target=shown["target"])
    assert (dataset.source.separator, dataset.source.thousands, dataset.source.encoding) == (";", ".", "cp1252")
    assert dataset.source.null_values == ("\\N", "<NA>", "-999")
    assert dataset.target.non_event == ("repaid", "repaid early")
    assert dataset.target.exclude == ("indeterminate", "")


def test_the_example_of_the_page_on_populations_is_one_too(reading):
    page = (ROOT / "docs/populations.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(source:.*?)```", page, re.DOTALL)
    dataset = reading(**yaml.safe_load(block))
    assert dataset.source.beside == {"time": "application_date", "group": "customer_id", "weight": "sample_weight"}
    assert (dataset.target.mature_after_days, dataset.target.observed, dataset.prior) == (365, "2026-01-31", 0.04)


def test_what_the_file_does_not_say_is_not_in_the_artifact_either(reading):
    dataset = reading(source__separator=";", source__decimal=",", source__null_values=["\\N", "-999"])
    assert (dataset.source.separator, dataset.source.decimal, dataset.source.thousands) == (";", ",", "")
    assert dataset.source.null_values == ("\\N", "-999")
    assert set(msgspec.to_builtins(reading().source)) == {"path"}
    assert set(msgspec.to_builtins(reading().target)) == {"column", "event"}
    assert "prior" not in msgspec.to_builtins(reading())


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": "Loans"}, "name"),
        ({"name": "lo ans"}, "name"),
        ({"features__1__name": "purpose"}, "features[1].name"),
        ({"features__1__name": "application_id"}, "features[1].name"),
        ({"features__1__name": "probability"}, "features[1].name"),
        ({"features__1__name": "decision"}, "features[1].name"),
        ({"features__1__name": "outcome"}, "features[1].name"),
        ({"features__1__name": ""}, "features[1].name"),
        ({"features": []}, "features"),
        ({"features__0__type": "text"}, "features[0].type"),
        ({"features__0__categories": []}, "features[0].categories"),
        ({"features__0__categories": None}, "features[0].categories"),
        ({"features__0__categories": ["car", "car"]}, "features[0].categories"),
        ({"features__0__categories": ["car", ""]}, "features[0].categories"),
        ({"features__0__minimum": "1"}, "features[0].minimum"),
        ({"features__1__categories": ["18"]}, "features[1].categories"),
        ({"features__1__minimum": "99"}, "features[1].minimum"),
        ({"features__1__minimum": "18.5"}, "features[1].minimum"),
        ({"features__1__maximum": "1e17"}, "features[1].maximum"),
        ({"features__2__maximum": "1e39"}, "features[2].maximum"),
        ({"features__2__maximum": "nan"}, "features[2].maximum"),
        ({"features__1__maximum": "old"}, "features[1].maximum"),
        ({"features__1__reason": "how old you are"}, "features[1].reason"),  # protected
        ({"features__1__monotone": "decreasing"}, "features[1].monotone"),  # protected
        ({"features__0__monotone": "increasing"}, "features[0].monotone"),  # categories have no order
        ({"features__2__monotone": "upwards"}, "features[2].monotone"),
        ({"costs__missed_event": "0"}, "costs.missed_event"),
        ({"costs__false_alarm": "-1"}, "costs.false_alarm"),
        ({"costs__false_alarm": "inf"}, "costs.false_alarm"),
        ({"costs": None}, "costs"),
        ({"target__event": None}, "target.event"),
        ({"source__time": "age"}, "source.time"),  # a feature
        ({"source__group": "outcome"}, "source.group"),
        ({"source__time": "when", "source__weight": "when"}, "source.weight"),
        ({"target__mature_after_days": "365"}, "target.mature_after_days"),  # without a time
        ({"source__time": "when", "target__mature_after_days": "-1"}, "target.mature_after_days"),
        ({"source__time": "when", "target__observed": "2026-01-31"}, "target.observed"),
        (
            {"source__time": "when", "target__mature_after_days": "9", "target__observed": "31/1/26"},
            "target.observed",
        ),
        ({"prior": "0"}, "prior"),
        ({"prior": "1"}, "prior"),
        ({"prior": "4"}, "prior"),  # percent
        ({"prior": "nan"}, "prior"),
        ({"source__path": ""}, "source.path"),
        ({"source__separator": ""}, "source.separator"),
        ({"source__separator": ";;"}, "source.separator"),
        ({"source__separator": "1"}, "source.separator"),
        ({"source__separator": '"'}, "source.separator"),
        ({"source__decimal": ";"}, "source.decimal"),
        ({"source__decimal": ",", "source__thousands": ","}, "source.thousands"),
        ({"source__thousands": "x"}, "source.thousands"),
        ({"source__encoding": "utf-9"}, "source.encoding"),
        ({"source__encoding": "base64"}, "source.encoding"),
        ({"source__null_values": [""]}, "source.null_values[0]"),
        ({"source__path": "x.parquet", "source__encoding": "cp1252"}, "source.encoding"),
        ({"source__path": "x.parquet", "source__separator": ";"}, "source.separator"),
        ({"target__non_event": ["late"]}, "target.non_event"),
        ({"target__exclude": ["late"]}, "target.exclude"),
        ({"target__non_event": ["paid"], "target__exclude": ["paid"]}, "target.exclude"),
        ({"target__non_event": ["paid", "paid"]}, "target.non_event"),
        ({"target__non_event": [""]}, "target.non_event"),
        ({"audit__0__column": "purpos"}, "audit[0].column"),
        ({"audit__0__groups": {"wheels": ["bike"]}}, "audit[0].groups"),
        ({"audit__0__groups": {"a": ["car"], "b": ["car"]}}, "audit[0].groups"),
        ({"audit__0__groups": {}}, "audit[0].groups"),
        ({"audit__1__edges": ["60", "25"]}, "audit[1].edges"),
        ({"audit__1__groups": {"young": ["18"]}}, "audit[1].groups"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_key(reading, changes, key):
    with pytest.raises(ConfigError) as caught:
        reading(**changes)
    assert caught.value.key == key
    assert caught.value.path.endswith("loans.yaml")
    assert caught.value.remedy


def test_a_file_that_protects_every_feature_is_refused(reading):
    with pytest.raises(ConfigError, match="every feature is protected"):
        reading(features__0__protected="true", features__2__protected="true")


@pytest.mark.parametrize("name", ["_loans", "loans_", "a" * 64])
def test_a_name_that_no_store_takes_is_refused_before_anything_is_trained(reading, name):
    with pytest.raises(ConfigError) as caught:
        reading(name=name)
    assert caught.value.key == "name"


@pytest.mark.parametrize("path", sorted((ROOT / "configs/datasets").glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_dataset_is_named_after_its_file_and_has_its_table(path):
    dataset = read_dataset(path)
    assert dataset.name == path.stem
    assert (ROOT / dataset.source.path).is_file()
    assert all(feature.description for feature in dataset.features)
    assert dataset.source.license
    assert dataset.source.citation


def test_what_a_reason_calls_a_feature_is_its_reason_its_description_or_its_name(reading):
    words = {"features__0__description": "what the loan is for", "features__2__description": "in euros"}
    features = reading(**words, features__2__reason="the money in the account").features
    texts = [feature.reason_text() for feature in features]
    assert texts == ["what the loan is for", "age", "the money in the account"]


def test_a_reason_may_differ_for_high_and_low_values(reading):
    words = {"higher": "the high balance", "lower": "the low balance"}
    balance = reading(features__2__reason=words).features[2]
    assert [balance.reason_text(higher=high) for high in (True, False, None)] == [*words.values(), "balance"]
    balance = reading(features__2__reason=words | {"missing": "the unknown balance"}).features[2]
    assert balance.reason_text() == "the unknown balance"
    with pytest.raises(ConfigError, match=r"features\[0\]\.reason.*neither higher nor lower"):
        reading(features__0__reason=words)
    with pytest.raises(ConfigError, match="lower"):
        reading(features__2__reason={"higher": "the high balance"})


def test_german_credit_has_a_reason_for_every_feature_that_is_not_protected():
    features = read_dataset(ROOT / "configs/datasets/german_credit.yaml").features
    assert all(bool(feature.reason) != feature.protected for feature in features)
    assert len({feature.reason_text(higher=True) for feature in features if feature.reason}) == 17
