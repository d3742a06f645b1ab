"""Time, group and weight of a table: how they are read, and what is told of one that cannot do what it is for."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from train.check import check
from train.errors import TableError
from train.tables.table import read_parquet, write_parquet

GOOD = {
    "when": ["2024-01-05", "2024-02-01", "Mar-2024", "2024-03-31", "2024-04-30"],
    "who": ["A", "B", "A", "C", "D"],
    "counts": ["1", "2", "0.5", "0.5", "1"],
    "outcome": ["late", "paid", "late", "paid", "paid"],
}


def dataset_of(path, target=(), **source):
    return Dataset(
        name="x",
        source=Source(path=str(path), **{"time": "when", "group": "who", "weight": "counts"} | source),
        target=Target(column="outcome", event="late", **dict(target)),
        costs=Costs(missed_event=1, false_alarm=1),
        features=(Feature(name="row", type="integer"),),
    )


@pytest.fixture
def checked(tmp_path):
    """`checked(target, **columns)`: the table with some columns changed."""

    def run(target=(), **columns):
        cells = GOOD | columns
        cells["row"] = [str(row) for row in range(len(cells["outcome"]))]
        lines = [",".join(cells), *(",".join(row) for row in zip(*cells.values(), strict=True))]
        (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
        return check(dataset_of(tmp_path / "t.csv", target), 1)

    return run


@pytest.fixture
def refused(checked):
    def run(target=(), **columns):
        with pytest.raises(TableError) as caught:
            checked(target, **columns)
        assert "t.csv" in str(caught.value)
        return caught.value.faults

    return run


def test_rows_have_their_day_their_customer_and_what_they_count(checked, tmp_path):
    table = checked()
    assert (table.time - table.time[0]).tolist() == [0, 27, 56, 86, 116]
    assert table.group[0] == table.group[2]
    assert len(set(table.group.tolist())) == 4
    assert table.weight.tolist() == [1, 2, 0.5, 0.5, 1]
    write_parquet(table, tmp_path / "table.parquet")
    again = read_parquet(tmp_path / "table.parquet", dataset_of(tmp_path / "t.csv"))
    for name in ("time", "group", "weight"):
        assert getattr(again, name).tolist() == getattr(table, name).tolist()
    assert again.rows(np.array([3, 0])).weight.tolist() == [0.5, 1]


def test_dates_of_parquet_are_days_and_only_the_column_of_time_may_hold_them(tmp_path):
    days = [dt.date(2024, 1, 5), *(dt.date(2024, month, day) for month, day in ((2, 1), (3, 1), (3, 31), (4, 30)))]
    columns = GOOD | {"row": [*range(5)], "counts": [1.0, 2.0, 0.5, 0.5, 1.0], "when": pa.array(days)}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = check(dataset_of(tmp_path / "t.parquet"), 1)
    assert (table.time - table.time[0]).tolist() == [0, 27, 56, 86, 116]
    with pytest.raises(TableError, match="column 'when' holds dates"):
        check(dataset_of(tmp_path / "t.parquet", time="", group="when"), 1)


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (
            {"when": ["2024-01-05", "5/2/2024", "", "2024-03-31", "2024"]},
            "line 3, column 'when', source.time: '5/2/2024' is not a date; write it as one of 2024-01-31, ",
        ),
        (
            {"who": ["A", "", "A", "C", "D"]},
            "line 3, column 'who', source.group: the empty cell names no customer; give ",
        ),
        (
            {"counts": ["1", "-2", "1", "1", "1"]},
            "line 3, column 'counts', source.weight: '-2' is not a number above 0; ",
        ),
        (
            {"counts": ["1", "0", "1", "1", "1"]},
            "line 3, column 'counts', source.weight: '0' is not a number above 0; ",
        ),
        (
            {"counts": ["1", "much", "1", "1", "1"]},
            "line 3, column 'counts', source.weight: 'much' is not a number above ",
        ),
        (
            {"when": ["2024-01"] * 5},
            "column 'when', source.time: has 1 different date among the rows that count; 4 are needed, to train, to ",
        ),
        ({"who": ["A"] * 5}, "column 'who', source.group: has one customer in all rows, who cannot stand on one side "),
    ],
)
def test_a_column_that_cannot_do_what_it_is_for_is_told_with_key_and_remedy(refused, columns, fault):
    found = refused(**columns)
    assert found[0].startswith(fault)
    assert "; " in found[0]


def test_rows_that_are_too_young_are_left_out_and_counted(checked, refused):
    when = ["2024-01-05", "2024-02-01", "2024-02-10", "2024-02-20", "2024-03-31"]
    table = checked({"mature_after_days": 30}, when=when)
    assert (len(table.target), table.young) == (4, 1)
    table = checked({"mature_after_days": 30, "observed": "2025-01-01"}, when=when)
    assert (len(table.target), table.young) == (5, 0)
    (fault,) = refused({"mature_after_days": 365}, when=when)
    assert fault.startswith("column 'when', target.mature_after_days: no row is 365 days older than 2024-03-31; set ")
    assert "target.observed" in fault
