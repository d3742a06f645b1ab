"""Measures against scikit-learn, scipy and direct counting; what is expected of them before outcomes arrive."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from monitoring.performance.measures import calibration_line, ks, log_odds, roc_auc, share_interval

DRAWN = np.random.default_rng(5)


def outcomes(rows, ties=False, drawn=DRAWN):
    probability = drawn.beta(1.5, 3.5, rows)
    if ties:
        probability = np.round(probability, 1)
    return probability, (drawn.random(rows) < probability).astype(np.float64)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("rows", [20, 1000])
def test_roc_auc_and_ks_are_those_of_scikit_learn_and_scipy(rows, ties):
    probability, event = outcomes(rows, ties)
    assert roc_auc(probability, event, 1 - event) == pytest.approx(roc_auc_score(event, probability), abs=1e-12)
    distance = stats.ks_2samp(probability[event == 1], probability[event == 0]).statistic
    assert ks(probability, event, 1 - event) == pytest.approx(distance, abs=1e-12)


def test_a_class_without_rows_has_no_roc_auc_and_no_ks():
    probability, event = np.array([0.1, 0.2]), np.ones(2)
    assert roc_auc(probability, event, 1 - event) is None
    assert ks(probability, event, 1 - event) is None


def test_the_expected_roc_auc_is_that_of_pairs_of_different_rows_counted_one_by_one():
    probability = np.array([0.1, 0.3, 0.3, 0.7, 0.9])
    won = pairs = 0.0
    for i, p in enumerate(probability):
        for j, q in enumerate(probability):
            if i != j:
                pairs += p * (1 - q)
                won += p * (1 - q) * (1.0 if p > q else 0.5 if p == q else 0.0)
    found = roc_auc(probability, probability, 1 - probability, probability * (1 - probability))
    assert found == pytest.approx(won / pairs, abs=1e-12)


def test_the_calibration_line_is_that_of_logistic_regression():
    probability, event = outcomes(5000)
    bent = 1 / (1 + np.exp(-(0.4 + 1.7 * log_odds(probability))))
    (intercept, slope), errors = calibration_line(bent, event)
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(log_odds(bent)[:, None], event)
    assert (intercept, slope) == pytest.approx((fitted.intercept_[0], fitted.coef_[0, 0]), abs=1e-5)
    assert slope == pytest.approx(1 / 1.7, abs=4 * errors[1])


def test_outcomes_that_are_separated_have_no_calibration_line():
    assert calibration_line(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0, 1, 1])) is None


def test_the_interval_of_a_share_is_that_of_scipy():
    for events, rows in ((0, 10), (3, 10), (250, 1000), (10, 10)):
        expected = stats.binomtest(events, rows).proportion_ci(0.95, "wilson")
        found = share_interval(events / rows, rows, stats.norm.ppf(0.975))
        assert found == pytest.approx((expected.low, expected.high), abs=1e-9)
