"""Figures with intervals, realised and estimated: that intervals hold what they say, and estimates what comes."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from monitoring.performance.sample import DECLINED, Sample, estimated, realised

COSTS = {"missed": 5.0, "alarm": 1.0}


def sample(rows, seed, known=1.0, flipped=0.0):
    """Decided rows whose outcomes follow their probabilities, but for those flipped."""
    drawn = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-drawn.normal(-1.1, 1.25, rows)))
    event = (drawn.random(rows) < probability) ^ (drawn.random(rows) < flipped)
    declined = probability >= 1 / 6
    return Sample(
        probability,
        np.where(declined, DECLINED, 0).astype(np.int8),
        declined,
        np.full(rows, COSTS["missed"]),
        np.full(rows, COSTS["alarm"]),
        np.where(drawn.random(rows) < known, event, np.nan),
    )


def test_realised_figures_are_those_of_the_rows_with_an_outcome():
    rows = sample(3000, seed=1, known=0.4)
    known = rows.rows(rows.known)
    found = realised(rows, least=50, confidence=0.95)
    auc = roc_auc_score(known.event, known.probability)
    assert found["roc_auc"].value == pytest.approx(auc)
    assert found["gini"].value == pytest.approx(2 * auc - 1)
    assert found["brier"].value == pytest.approx(brier_score_loss(known.event, known.probability))
    assert found["event_rate"].value == pytest.approx(known.event.mean())
    assert found["approval_rate"].value == pytest.approx(np.mean(rows.decision == 0))
    mistakes = np.where(known.declined, (1 - known.event) * 1.0, known.event * 5.0)
    assert found["cost"].value == pytest.approx(mistakes.mean())
    assert all(figure.low <= figure.value <= figure.high for figure in found.values())


def test_too_few_outcomes_make_no_figure_but_approvals_are_counted():
    rows = sample(200, seed=2, known=0.1)
    assert list(realised(rows, least=50, confidence=0.95)) == ["approval_rate"]
    assert "roc_auc" in estimated(rows, least=50, confidence=0.95)


def test_outcomes_of_one_kind_have_rates_and_no_roc_auc():
    rows = sample(300, seed=3)
    never = Sample(
        *(getattr(rows, name) for name in ("probability", "decision", "declined", "missed_event")),
        rows.false_alarm,
        np.zeros(300),
    )
    found = realised(never, least=50, confidence=0.95)
    assert "roc_auc" not in found
    assert found["event_rate"].value == 0


def test_an_estimate_covers_what_comes_as_often_as_it_says():
    """60 samples: of a share of 0.95 the count is below 51 with a chance of 0.0003."""
    held = dict.fromkeys(("roc_auc", "ks", "brier", "cost", "event_rate"), 0)
    for seed in range(60):
        rows = sample(600, seed)
        expected, came = estimated(rows, 50, 0.95), realised(rows, 50, 0.95)
        for name in held:
            held[name] += expected[name].low <= came[name].value <= expected[name].high
    assert all(count >= 51 for count in held.values()), held


def test_intervals_of_realised_figures_hold_the_truth_as_often_as_they_say():
    truth = realised(sample(400_000, seed=1000), 50, 0.95)
    held = dict.fromkeys(("roc_auc", "ks", "brier", "cost", "event_rate"), 0)
    for seed in range(60):
        came = realised(sample(600, seed), 50, 0.95)
        for name in held:
            held[name] += came[name].low <= truth[name].value <= came[name].high
    assert all(count >= 51 for count in held.values()), held


def test_an_estimate_does_not_see_that_outcomes_no_longer_follow():
    rows = sample(5000, seed=4, flipped=0.1)
    came, expected = realised(rows, 50, 0.95), estimated(rows, 50, 0.95)
    assert came["roc_auc"].high < expected["roc_auc"].low
