"""Twins: rows on both sides of the split, found among those that merely look alike."""

import numpy as np

from train.evaluation.fingerprints import fingerprints, shared_rows, twins
from train.tables.column import NumberColumn
from train.tables.table import Table

ROWS, COLUMNS = 400, 6


def table(drawn, rows=ROWS):
    columns = {f"number {place}": NumberColumn(drawn.integers(0, 1000, rows).astype(float)) for place in range(COLUMNS)}
    columns["word"] = np.array([f"w{number}" for number in drawn.integers(0, 9, rows)], dtype=object)
    return Table(columns, drawn.integers(0, 2, rows))


def test_a_customer_whose_amount_has_changed_is_a_twin_and_one_with_two_other_values_is_none():
    whole = table(np.random.default_rng(0))
    doubled = whole.rows(np.r_[0:ROWS, 0:30])
    in_test = np.arange(ROWS + 30) >= ROWS
    one, two = doubled.columns["number 0"].array, doubled.columns["number 1"].array
    one[in_test] += 1
    found = shared_rows(doubled, in_test)
    assert (found.share, found.rows) == (1.0, (401, 1))
    two[in_test] += 1
    assert shared_rows(doubled, in_test).share == 0


def test_few_columns_of_few_values_are_alike_by_chance_and_are_not_judged():
    drawn = np.random.default_rng(0)
    columns = {name: NumberColumn(drawn.integers(0, 3, ROWS).astype(float)) for name in ("a", "b", "c")}
    assert shared_rows(Table(columns, drawn.integers(0, 2, ROWS)), np.arange(ROWS) < 80) is None


def test_a_fingerprint_depends_on_values_and_names_alone():
    whole = table(np.random.default_rng(0))
    names = [*whole.columns]
    first = fingerprints(whole.columns, names)
    assert len(np.unique(first)) == ROWS
    order = np.random.default_rng(1).permutation(ROWS)
    assert (fingerprints(whole.rows(order).columns, names[::-1]) == first[order]).all()
    missing = NumberColumn(np.array([np.nan, np.nan, 0.0, -0.0]))
    gaps = fingerprints({"a": missing}, ["a"])
    assert (gaps[0] == gaps[1], gaps[2] == gaps[3], gaps[1] == gaps[2]) == (True, True, False)
    assert not twins(whole.columns, np.arange(ROWS) < 100).any()
