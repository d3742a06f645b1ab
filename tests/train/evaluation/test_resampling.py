"""The figures of the intervals are those of scikit-learn, with ties, few rows, and outcomes that are separated."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from train.calibration import calibrate
from train.evaluation.resampling import calibration_slope, roc_auc


def drawn(seed):
    """Outcomes and logits: from a handful of rows to thousands, tied where rounded, of a slope that is not one."""
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([5, 30, 800, 5000]))
    logits = rng.normal(rng.normal(), rng.uniform(0.1, 3), size=rows).round(int(rng.integers(0, 6)))
    target = (rng.random(rows) < 1 / (1 + np.exp(-rng.uniform(0, 3) * logits - rng.normal()))).astype(np.int64)
    target[:2] = 0, 1
    return target, logits


@pytest.mark.parametrize("seed", range(100))
def test_area_and_slope_are_those_of_scikit_learn(seed):
    target, logits = drawn(seed)
    assert roc_auc(target, logits) == pytest.approx(roc_auc_score(target, logits), abs=1e-12)
    expected = calibrate(logits, target)[0]
    for near in (1.0, expected, 5.0):
        assert calibration_slope(target, logits, near) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("target", [[0, 0, 1, 1], [1, 1, 0, 0]])
def test_outcomes_that_the_logits_separate_have_the_slope_of_calibrate(target):
    outcomes, logits = np.array(target), np.array([-2.0, -1.0, 1.0, 2.0])
    assert calibration_slope(outcomes, logits, 1.0) == calibrate(logits, outcomes)[0]


def test_logits_that_are_all_the_same_have_a_slope_too():
    assert np.isfinite(calibration_slope(np.array([0, 1, 1]), np.full(3, 0.5), 1.0))
