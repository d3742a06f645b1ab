"""Performance by vintage: rates, scores and their shift, of rows that a model had not learned from."""

import numpy as np
import pytest

from train.evaluation.figures import png
from train.evaluation.figures import vintages as drawn_vintages
from train.evaluation.vintages import by_vintage
from train.publishing.population_section import vintage_rows
from train.tables.column import NumberColumn
from train.tables.table import Table
from train.vintages import vintages_of


def scored(months, seed):
    drawn = np.random.default_rng(seed)
    days = np.repeat(months, 100) * 31
    probability = drawn.uniform(0, 0.6, len(days)).astype(np.float32)
    target = (drawn.random(len(days)) < probability).astype(np.int64)
    return Table({"x": NumberColumn(probability)}, target).with_beside({"time": days}), probability


def test_vintages_are_months_or_as_much_longer_as_makes_them_few():
    days = np.arange(0, 3 * 365)
    names, place = vintages_of(days)
    assert names == [f"{year}-Q{quarter}" for year in (1970, 1971, 1972) for quarter in (1, 2, 3, 4)]
    assert np.bincount(place).tolist()[:4] == [90, 91, 92, 92]
    assert vintages_of(days[:365])[0] == [f"1970-{month:02}" for month in range(1, 13)]
    assert vintages_of(np.arange(0, 3650, 7))[0] == [str(year) for year in range(1970, 1980)]


def test_each_vintage_has_what_was_observed_and_expected_and_which_part_it_is_of():
    (early, first), (late, second) = scored([0, 1, 2], 0), scored([2, 3], 1)
    found = by_vintage([(early, first, "folds"), (late, second, "test")], None)
    assert [(one.name, one.part, one.rows) for one in found] == [
        ("1970-01", "folds", 100),
        ("1970-02", "folds", 100),
        ("1970-03", "folds", 100),
        ("1970-03", "test", 100),
        ("1970-04", "test", 100),
    ]
    for one in found:
        assert one.observed_low < one.observed < one.observed_high
        assert one.expected == pytest.approx(0.3, abs=0.05)
        assert 0.6 < one.roc_auc < 0.9
        assert one.psi < 0.2
    assert vintage_rows(found)[4][:3] == ("1970-04", "test part", "100")
    assert png(drawn_vintages(found)).startswith(b"\x89PNG")


def test_scores_that_have_moved_have_a_psi_and_a_prior_is_what_is_observed():
    (early, first), (late, second) = scored([0], 0), scored([1], 1)
    found = by_vintage([(early, first, "folds"), (late, second + 0.3, "test")], 0.05)
    assert found[1].psi > 0.5
    assert [one.observed for one in found] == [pytest.approx(0.05), pytest.approx(0.05)]


def test_without_dates_there_are_no_vintages():
    table, probability = scored([0], 0)
    undated = table.with_beside({"time": np.zeros(0, dtype=np.int64)})
    assert by_vintage([(undated, probability, "folds")], None) == []
