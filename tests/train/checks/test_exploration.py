"""Exploration: bins, event rates and information value of columns whose answer is known."""

import math

import numpy as np
import pytest
from scipy import stats

from configs.feature import Feature
from tests.models.tables import german_credit
from train.check import check
from train.checks.exploration import explore, explore_column, wilson

HOME = Feature(name="home", type="categorical", categories=("own", "rent", "free"), nullable=True)
AGE = Feature(name="age", type="number", nullable=True, unit="years")


def test_categories_keep_their_order_and_those_without_rows_stay():
    found = explore_column(HOME, ["rent", "own", "own", "own"], np.array([1, 0, 0, 1]), 10)
    assert [(part.label, part.rows, part.events) for part in found.bins] == [
        ("own", 3, 1),
        ("rent", 1, 1),
        ("free", 0, 0),
    ]
    assert (found.bins[2].rate, found.bins[2].woe, found.distinct, found.summary) == (0, 0, 2, {})


def test_missing_values_have_a_bin_of_their_own():
    found = explore_column(AGE, [None, 1.0, 2.0, None, 2.0], np.array([1, 0, 0, 1, 1]), 10)
    assert [(part.label, part.rows, part.events) for part in found.bins] == [
        ("1", 1, 0),
        ("2", 2, 1),
        ("missing", 2, 2),
    ]
    assert (found.missing, found.distinct) == (2, 2)


def test_a_column_without_any_value_has_only_that_bin():
    for feature in (AGE, HOME):
        found = explore_column(feature, [None] * 4, np.array([1, 0, 0, 1]), 10)
        assert [part.label for part in found.bins if part.rows] == ["missing"]
        assert (found.information_value, found.distinct) == (0, 0)


def test_numbers_are_binned_evenly_and_every_row_is_in_one_bin():
    values = np.random.default_rng(0).normal(size=1000)
    found = explore_column(AGE, values.tolist(), (values > 0).astype(np.int64), 10)
    assert [part.rows for part in found.bins] == [100] * 10
    assert found.summary["median"] == pytest.approx(np.median(values))
    assert sum(part.events for part in found.bins) == (values > 0).sum()


def test_a_whole_column_of_one_value_is_one_bin():
    found = explore_column(AGE, [5.0] * 6, np.array([1, 0, 0, 1, 0, 0]), 10)
    assert ([part.label for part in found.bins], found.information_value) == (["5"], 0)


def test_information_value_and_weight_of_evidence_are_the_formula_where_no_bin_is_small():
    values, target = ["own"] * 6000 + ["rent"] * 4000, np.array([0] * 5000 + [1] * 1000 + [0] * 2500 + [1] * 1500)
    found = explore_column(HOME, values, target, 10)
    good, bad = np.array([5000, 2500]) / 7500, np.array([1000, 1500]) / 2500
    assert found.information_value == pytest.approx(np.sum((good - bad) * np.log(good / bad)), rel=1e-3)
    assert [part.woe for part in found.bins[:2]] == pytest.approx(np.log(good / bad).tolist(), abs=1e-3)
    assert found.strength == "medium"


def test_a_column_that_knows_the_outcome_is_called_suspicious():
    target = np.array([0, 1] * 200)
    assert explore_column(AGE, target.astype(float).tolist(), target, 10).strength == "suspiciously strong"


def test_noise_is_seldom_called_more_than_chance():
    drawn = np.random.default_rng(0)
    target = drawn.integers(0, 2, 240)
    words = [explore_column(AGE, drawn.normal(size=240).tolist(), target, 10).strength for _ in range(400)]
    assert 0.9 < words.count("within chance") / 400 < 0.99


@pytest.mark.parametrize(("events", "rows"), [(0, 20), (3, 10), (20, 20), (300, 1000)])
def test_the_interval_is_that_of_scipy(events, rows):
    exact = stats.binomtest(events, rows).proportion_ci(0.95, "wilson")
    assert wilson(events, rows) == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_every_feature_of_german_credit_is_explored_and_counts_every_row():
    dataset = german_credit()
    found = explore(dataset, check(dataset, 2), 10)
    assert [column.name for column in found] == [feature.name for feature in dataset.features]
    for column in found:
        assert sum(part.rows for part in column.bins) == 1000
        assert sum(part.events for part in column.bins) == 300
        assert len(column.bins) <= 10
        assert all(math.isfinite(part.woe) for part in column.bins)
    best = max(found, key=lambda column: column.information_value)
    assert (best.name, round(best.information_value, 2)) == ("checking_account", 0.66)  # 0.67 without half rows
