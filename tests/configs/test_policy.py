"""Costs of each applicant, the band that is referred and the scale of the score: what is taken, and what is refused."""

import msgspec
import pytest

from configs.dataset import Dataset, read_dataset
from configs.policy import CostOf, Costs, Refer, ScoreScale
from configs.source import ConfigError

TEXT = """\
name: loans
source: {path: loans.csv}
target: {column: paid, event: no}
costs: {missed_event: {column: amount, times: 0.6}, false_alarm: {column: fee, times: 0.5}}
refer: {from: 0.12, to: 0.22}
score: {points: 600, odds: 50, double: 20}
features:
  - {name: amount, type: number, minimum: 1, maximum: 100}
  - {name: fee, type: number, minimum: 10, maximum: 20, protected: true}
  - {name: job, type: categorical, categories: [a, b]}
  - {name: months, type: integer, minimum: 1, nullable: true}
"""


@pytest.fixture
def read(tmp_path):
    """Reads the file with some of its text replaced."""

    def read_with(old="", new=""):
        assert old in TEXT
        (tmp_path / "loans.yaml").write_text(TEXT.replace(old, new) if old else TEXT)
        return read_dataset(tmp_path / "loans.yaml")

    return read_with


def test_all_three_are_read_and_survive_the_way_through_an_artifact(read):
    dataset = read()
    assert dataset.costs == Costs(
        missed_event=CostOf(column="amount", times=0.6), false_alarm=CostOf(column="fee", times=0.5)
    )
    assert dataset.refer == Refer(start=0.12, end=0.22)
    assert dataset.score == ScoreScale(points=600, odds=50, double=20)
    assert msgspec.json.decode(msgspec.json.encode(dataset), type=Dataset) == dataset


def test_one_threshold_holds_for_all_where_the_column_cancels_out(read):
    assert read().threshold is None
    assert read("{column: fee, times: 0.5}", "{column: amount, times: 0.12}").threshold == 0.12 / (0.12 + 0.6)
    assert read("{column: fee, times: 0.5}", "7").threshold is None


def test_a_file_without_these_keys_has_neither_band_nor_scale(read):
    dataset = read("refer: {from: 0.12, to: 0.22}\nscore: {points: 600, odds: 50, double: 20}\n", "")
    assert (dataset.refer, dataset.score) == (None, None)


@pytest.mark.parametrize(
    ("old", "new", "key", "told"),
    [
        ("column: fee", "column: fees", "costs.false_alarm.column", "there is no feature 'fees'; name one"),
        ("column: fee", "column: job", "costs.false_alarm.column", "'job' is categorical; name a number"),
        (
            "column: fee",
            "column: months",
            "costs.false_alarm.column",
            "'months' is nullable, .*; remove nullable: true",
        ),
        ("minimum: 10", "minimum: 0", "costs.false_alarm.column", "may be 0, .*; give the feature a minimum above 0"),
        ("times: 0.5", "times: 0", "costs.false_alarm.times", "Expected"),
        ("times: 0.5", "tims: 0.5", "costs.false_alarm.tims", "unknown key; did you mean times?"),
        ("from: 0.12", "from: 0.22", "refer.from", "0.22 is not below 0.22; give a lower from"),
        ("from: 0.12", "form: 0.12", "refer.form", "did you mean from?"),
        ("to: 0.22", "to: 1", "refer.to", "Expected"),
        (
            "{column: fee, times: 0.5}",
            "{column: amount, times: 0.06}",
            "refer.from",
            "above the threshold .*0.09091; ",
        ),
        ("{column: fee, times: 0.5}", "{column: amount, times: 6}", "refer.to", "below the threshold .*, 0.9091; "),
        (
            "from: 0.12, to: 0.22",
            "from: 0.01, to: 0.02",
            "refer.to",
            "0.0769.* to 0.94.*; set refer.to to at least 0.077",
        ),
        ("odds: 50", "odds: 0", "score.odds", "Expected"),
        ("double: 20", "double: -20", "score.double", "Expected"),
        ("double: 20", "doubles: 20", "score.doubles", "did you mean double?"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_with_a_remedy(read, old, new, key, told):
    with pytest.raises(ConfigError, match=told) as caught:
        read(old, new)
    assert caught.value.key == key
    assert "\n" not in str(caught.value)
