"""The folds of a table with dates or customers: nothing that is learned from is newer, or of the same customer."""

import dataclasses

import numpy as np
import pytest

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from models.schema import Schema
from train.errors import PipelineError
from train.evaluation.cross_validation import cross_validate
from train.evaluation.folding import plan
from train.fit import held_out_rows
from train.tables.column import NumberColumn
from train.tables.table import Table

NONE = np.zeros(0, dtype=np.int64)


@pytest.fixture
def table():
    drawn = np.random.default_rng(0)
    columns = {"row": NumberColumn(np.arange(800, dtype=float))}
    days = drawn.permutation(np.arange(800) // 40 * 30)
    return Table(columns, drawn.integers(0, 2, 800)).with_beside({"time": days, "group": drawn.integers(0, 300, 800)})


def test_a_walk_forward_measures_the_newer_half_once_and_learns_from_older_rows_of_others(table):
    planned = plan(table, 5, 2)
    assert len(planned.folds) == 10
    measured = np.concatenate([rows for _, rows in planned.folds])
    assert sorted(measured) == np.flatnonzero(table.time >= 300).tolist()
    for learned, rows in planned.folds:
        assert table.time[learned].max() < table.time[rows].min()
        assert not set(table.group[learned]) & set(table.group[rows])
    assert planned.a_repeat > 5


def test_steps_with_few_outcomes_are_measured_together(table):
    rare = dataclasses.replace(table, target=(np.arange(800) % 32 == 0).astype(np.int64), group=NONE)
    folds = plan(rare, 5, 2).folds
    assert 2 <= len(folds) < 10
    assert min(rare.target[rows].sum() for _, rows in folds) >= 5


def test_few_dates_of_which_one_has_most_rows_are_steps_all_the_same(table):
    uneven = dataclasses.replace(table, time=np.repeat([0, 1, 2], [100, 100, 600]), group=NONE)
    assert [len(rows) for _, rows in plan(uneven, 5, 2).folds] == [100, 600]


def test_a_table_that_no_date_divides_is_told(table):
    with pytest.raises(PipelineError, match=r"source\.time: the training part cannot be divided by date into 3 "):
        plan(dataclasses.replace(table, time=np.zeros(800, dtype=np.int64)), 5, 2)


def test_every_row_is_held_out_once_in_each_repeat_with_all_rows_of_its_customer(table):
    planned = plan(dataclasses.replace(table, time=NONE), 4, 2)
    assert (len(planned.folds), planned.a_repeat) == (8, 4)
    for repeat in (planned.folds[:4], planned.folds[4:]):
        assert sorted(np.concatenate([rows for _, rows in repeat])) == list(range(800))
        assert {len(rows) for _, rows in repeat} <= set(range(190, 211))
    for learned, rows in planned.folds:
        assert not set(table.group[learned]) & set(table.group[rows])
    with pytest.raises(PipelineError, match=r"source\.group: the training part has too few customers"):
        plan(dataclasses.replace(table, time=NONE, group=np.arange(800) % 3), 5, 1)


def test_members_hold_out_whole_customers(table):
    held_out = held_out_rows(table.target, 8, 4, np.random.default_rng(0), table.group)
    assert (held_out.sum(axis=0) == 2).all()
    for member in held_out:
        assert not set(table.group[member]) & set(table.group[~member])


def test_rows_that_no_step_measures_have_no_probability(table):
    dataset = Dataset(
        name="x",
        source=Source(path="x.csv"),
        target=Target(column="y", event="1"),
        costs=Costs(missed_event=1, false_alarm=1),
        features=(Feature(name="row", type="integer"),),
    )

    def sure(schema, training, test):
        return np.full(len(test.target), 0.5, dtype=np.float32)

    found = cross_validate({"sure": (Schema(dataset), sure)}, table, plan(table, 5, 2).folds)["sure"]
    assert np.isnan(found.held_out).tolist() == (table.time < 300).tolist()
