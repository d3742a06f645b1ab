"""Metrics against values worked out by hand."""

import numpy as np
import pytest

from train.evaluate import evaluate, mean_cost
from train.stakes import Stakes

TARGET = np.array([1, 1, 0, 0, 0])
PROBABILITY = np.array([0.9, 0.3, 0.6, 0.2, 0.1], dtype=np.float32)
STAKES = Stakes(missed_event=5, false_alarm=1, threshold=1 / 6)
A_QUARTER = Stakes(missed_event=5, false_alarm=1, threshold=0.25)


def test_metrics_are_those_worked_out_by_hand():
    found = evaluate(TARGET, PROBABILITY, A_QUARTER)
    # Pairs of event and other: 0.9 beats three, 0.3 beats two of three.
    assert found.roc_auc == pytest.approx(5 / 6)
    assert found.gini == pytest.approx(2 / 3)
    # Above 0.25: both events and one of three others.
    assert found.ks == pytest.approx(1 - 1 / 3)
    # Declined: 0.9, 0.3, 0.6.
    assert found.accuracy == pytest.approx(4 / 5)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(1)
    assert found.f1 == pytest.approx(0.8)
    assert found.cost == pytest.approx(1 / 5)
    assert found.cost_of_declining_all == pytest.approx(3 / 5)
    assert found.cost_of_approving_all == pytest.approx(10 / 5)
    assert found.brier == pytest.approx((0.01 + 0.49 + 0.36 + 0.04 + 0.01) / 5, abs=1e-6)
    assert found.log_loss == pytest.approx(-np.log([0.9, 0.3, 0.4, 0.8, 0.9]).mean(), abs=1e-6)
    assert found.rows == 5


def test_a_probability_at_the_threshold_is_declined():
    at = np.array([0.25, 0.75], dtype=np.float32)
    assert evaluate(np.array([1, 0]), at, A_QUARTER).recall == 1


def test_certain_probabilities_have_finite_metrics():
    found = evaluate(TARGET, np.array([1, 0, 0, 0, 1], dtype=np.float32), STAKES)
    assert all(np.isfinite(value) for value in found.as_dict().values())


def test_calibrated_probabilities_have_slope_one_and_intercept_zero():
    drawn = np.random.default_rng(0)
    probability = drawn.uniform(0.02, 0.98, 50_000)
    target = (drawn.random(50_000) < probability).astype(np.int64)
    found = evaluate(target, probability.astype(np.float32), STAKES)
    assert found.calibration_slope == pytest.approx(1, abs=0.05)
    assert found.calibration_intercept == pytest.approx(0, abs=0.05)


def test_each_mistake_costs_what_the_dataset_says():
    declined = np.array([True, False, True, True, False])
    stakes = Stakes(missed_event=7, false_alarm=2, threshold=2 / 9)
    assert mean_cost(TARGET, declined, stakes) == pytest.approx((7 + 2 + 2) / 5)
