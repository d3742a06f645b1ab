"""Outcomes: the event, the non-events, those left out, and nothing else."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from train.check import check
from train.errors import TableError


@pytest.fixture
def checked(tmp_path):
    """`checked(outcomes, **target)`: the table whose rows have these outcomes, numbered in the column `row`."""

    def run(outcomes, **target):
        path = tmp_path / ("t.parquet" if not isinstance(outcomes, list) else "t.csv")
        if isinstance(outcomes, list):
            path.write_text("row,denied\n" + "".join(f'{row},"{text}"\n' for row, text in enumerate(outcomes)))
        else:
            parquet.write_table(pa.table({"row": list(range(len(outcomes))), "denied": outcomes}), path)
        dataset = Dataset(
            name="x",
            source=Source(path=str(path)),
            target=Target(column="denied", **{"event": "yes"} | target),
            costs=Costs(missed_event=1, false_alarm=1),
            features=(Feature(name="row", type="integer"),),
        )
        return check(dataset, 1)

    return run


@pytest.fixture
def refused(checked):
    """`refused(outcomes, **target)`: the faults."""

    def run(outcomes, **target):
        with pytest.raises(TableError) as caught:
            checked(outcomes, **target)
        return caught.value.faults

    return run


@pytest.mark.parametrize(
    ("spelling", "differs"),
    [
        ("YES", "case"),
        ("yes ", "a space at its end"),
        (" yes", "a space at its start"),
        ("yes\u00a0", "a no-break space"),
    ],
)
@pytest.mark.parametrize("others", [["no"], []], ids=["beside a non-event", "the only other value"])
def test_an_event_spelled_otherwise_stops_and_is_named_with_count_and_lines(refused, spelling, differs, others):
    faults = refused(["yes", spelling, *others, "yes", spelling])
    (named,) = [fault for fault in faults if fault.startswith(repr(spelling))]
    assert f" in 2 rows, lines 3, {5 + len(others)}; it differs from 'yes' in {differs}" in named
    assert "spell alike what means the same" in faults[-1]


def test_several_values_beside_the_event_stop_until_they_are_named(refused, checked):
    outcomes = ["yes", "no", "withdrawn", "no", "yes", "pending"]
    first, *listed, remedy = refused(outcomes)
    assert first == (
        "column 'denied' takes 3 values beside the event 'yes', and target.non_event does not say which mean that "
        "it did not happen:"
    )
    assert listed == ["'no' in 2 rows, lines 3, 5", "'withdrawn' in 1 rows, lines 4", "'pending' in 1 rows, lines 7"]
    assert 'non_event: ["no", "withdrawn", "pending"] under target' in remedy
    faults = refused(outcomes, non_event=("no",), exclude=("pending",))
    assert faults[:2] == [
        "column 'denied' takes 1 value beside the event 'yes' and 'no', which target.non_event lists:",
        "'withdrawn' in 1 rows, lines 4",
    ]
    found = checked(outcomes, non_event=("no", "withdrawn"), exclude=("pending",))
    assert found.target.tolist() == [1, 0, 0, 0, 1]
    assert list(found.columns["row"]) == [0, 1, 2, 3, 4]
    assert found.lines.tolist() == [2, 3, 4, 5, 6]


def test_a_non_event_spelled_otherwise_is_named_beside_the_one_that_it_looks_like(refused):
    faults = refused(["yes", "no", "no", "No"], non_event=("no",))
    assert faults[1] == "'No' in 1 rows, lines 5; it differs from 'no' in case"


def test_a_missing_outcome_is_left_out_where_that_is_said(refused, checked):
    assert refused(["yes", "", "no"]) == ["line 3, column 'denied': the outcome is missing"]
    assert checked(["yes", "", "no"], exclude=("",)).target.tolist() == [1, 0]


def test_one_other_value_needs_no_name(checked):
    assert checked(["yes", "no", "yes"]).target.tolist() == [1, 0, 1]


def test_an_event_that_never_happens_is_told_with_the_one_that_it_looks_like(refused):
    (fault,) = refused(["1.0", "0.0"], event="1")
    assert fault.endswith("only '0.0', '1.0'; '1.0' differs from it in how the number is written; fix target.event")


def test_booleans_and_whole_numbers_of_parquet_are_outcomes(checked):
    assert checked(pa.array([True, False, True]), event="true").target.tolist() == [1, 0, 1]
    assert checked(pa.array([1, 0, 2]), event="1", exclude=("2",)).target.tolist() == [1, 0]
