"""The paired difference in ROC AUC: the value is scikit-learn's, and the interval holds what it promises."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from train.evaluation.paired import roc_auc_gain


def test_the_difference_is_that_of_both_areas_and_ties_count_half():
    drawn = np.random.default_rng(0)
    target = drawn.integers(0, 2, 300)
    ours, theirs = np.round(drawn.normal(size=300) + target, 1), np.round(drawn.normal(size=300) + target / 2, 1)
    found = roc_auc_gain(target, ours, theirs, 0.9)
    assert found.value == pytest.approx(roc_auc_score(target, ours) - roc_auc_score(target, theirs))
    assert roc_auc_gain(target, theirs, ours, 0.9).value == pytest.approx(-found.value)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Two scores that share their noise, on 400 tables of 200 rows: 90% of the intervals hold the true difference."""
    drawn = np.random.default_rng(1)

    def scores(rows):
        target = (drawn.random(rows) < 0.3).astype(np.int64)
        shared = drawn.normal(size=rows)
        return target, shared + 1.2 * target + 0.3 * drawn.normal(size=rows), shared + target

    target, ours, theirs = scores(200_000)
    truth = roc_auc_gain(target, ours, theirs, 0.9).value
    found = [roc_auc_gain(*scores(200), 0.9) for _ in range(400)]
    assert np.mean([one.low <= truth <= one.high for one in found]) == pytest.approx(0.9, abs=0.04)
