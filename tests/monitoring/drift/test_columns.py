"""Columns as counts that can be added: where they are counted, and that sketches and rows agree."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.drift_windows import counted
from monitoring.drift.columns import layout_of
from monitoring.drift.statistics import ks
from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import read_sketches, serialize
from tests.monitoring.drift.conftest import MONDAY


def column(values):
    return read_sketches(serialize(profile_columns({"x": values}, "m:1", MONDAY)))["x"]


def layout(values, tolerance=0.0):
    return layout_of("x", None, column(values), 10, tolerance)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=800),
        np.random.default_rng(0).poisson(2, 800).astype(float),
        np.array([0.0] * 780 + [1.5, 2.5] * 10),
        np.full(800, 7.0),
        np.array([1e6, 1e6 + 1] * 400),
        np.array([3.0]),
    ],
    ids=["all different", "whole numbers", "nearly constant", "constant", "adjacent", "one row"],
)
def test_a_sketch_of_few_rows_is_counted_as_the_rows_themselves(values):
    where = layout(values)
    current = np.random.default_rng(1).choice([*values, values.min() - 1, values.max() + 1], 900)
    found, exact = where.count(column(current)), counted(where, current)
    assert found.values.tolist() == exact.values.tolist()
    assert (found.rows, found.numbers) == (exact.rows, exact.numbers)
    assert where.histogram(found).sum() == where.bars(found).sum() == 900
    distance = ks(where.cumulative(where.count(column(values))), where.cumulative(found))
    assert distance == pytest.approx(stats.ks_2samp(values, current).statistic, abs=1e-12)


def test_deciles_have_a_tenth_of_the_reference_each_even_with_ties():
    values = np.concatenate([np.zeros(400), np.arange(1.0, 401)])
    counts = layout(values).histogram(layout(values).count(column(values)))
    assert counts[0] == 400, "a bin of its own for what half of the rows are"
    assert set(counts[1:-2]) <= {79, 80, 81}


def test_bars_are_around_values_or_as_wide_as_each_other():
    assert layout([1.0, 2.0, 4.0] * 9).plot.tolist() == [0.5, 1.5, 3.0, 5.0]
    assert layout([5.0]).plot.tolist() == [4.5, 5.5]
    whole = layout(np.arange(100.0))
    widths = np.diff(whole.plot)
    assert (whole.plot % 1 == 0.5).all()
    assert set(widths) == {5.0}
    assert len(layout(np.random.default_rng(0).normal(size=500)).plot) == 21


def test_what_is_no_number_is_unknown():
    where = layout([1.0, 2.0, 3.0])
    counts = where.count(column([1.0, "two", None, 3.0]))
    assert (where.unknown(counts), counts.nulls, where.histogram(counts)[-2:].tolist()) == (1, 1, [1, 1])


def test_a_number_among_categories_is_unknown():
    where = layout_of("x", ("a", "b"), column(["a"]), 10)
    counts = where.count(column(["a", 7.0, "c", None]))
    assert (where.unknown(counts), where.histogram(counts).tolist()) == (2, [1, 0, 2, 1])


def test_categories_that_begin_alike_are_counted_together():
    names = ("x" * 128 + "1", "x" * 128 + "2", "y")
    where = layout_of("x", names, column([names[0], "y"]), 10)
    counts = where.count(column([names[0], names[1], "y"]))
    assert (counts.values.sum(), where.unknown(counts)) == (3, 0)
