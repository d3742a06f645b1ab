"""The test for a change of concept: few false alarms however often it is looked at, and power."""

import numpy as np
import pytest

from monitoring.performance.concept import BLOCK_ROWS, change, detect
from tests.monitoring.performance.test_sample import sample

DAY_S = 86_400.0
ALLOWED = 0.25  # false alarms per year


def looked(rows, days=30.0):
    time_s = np.linspace(0, days * DAY_S, len(rows))
    return detect(rows.probability, rows.event, time_s)


def test_label_flips_that_cost_five_points_of_roc_auc_are_found_in_2000_outcomes():
    """With 0.075 of the outcomes flipped; of 100 samples, 90 or more are found unless the power is below 0.95."""
    found = losses = 0.0
    for seed in range(100):
        rows = sample(2000, seed, flipped=0.075)
        seen = change(rows.probability, rows.event)
        losses += seen.auc_loss
        found += looked(rows).p_value < ALLOWED and seen.matters
    assert losses / 100 == pytest.approx(0.053, abs=0.005)
    assert found >= 90


def test_what_has_not_changed_is_not_found_though_it_is_looked_at_after_every_block():
    """40 services with 2,000 outcomes in a month, looked at 20 times each; the bound allows 0.8 false alarms."""
    alarms = 0
    for seed in range(40):
        rows = sample(2000, seed)
        looks = (looked(rows.rows(np.arange(end)), days=30 * end / 2000) for end in range(BLOCK_ROWS, 2001, BLOCK_ROWS))
        alarms += any(look.p_value < ALLOWED for look in looks)
    assert alarms <= 2


def test_a_change_after_a_long_time_without_is_found_and_dated():
    before, after = sample(10_000, seed=1), sample(3000, seed=2, flipped=0.1)
    probability, event = (np.r_[getattr(before, name), getattr(after, name)] for name in ("probability", "event"))
    found = detect(probability, event, np.linspace(0, 365 * DAY_S, len(event)))
    assert found.p_value < ALLOWED
    assert found.first == pytest.approx(10_000, abs=500)


def test_more_events_than_predicted_are_found_and_better_outcomes_are_no_breach():
    rows = sample(2000, seed=3)
    halved = rows.probability / (2 - rows.probability)  # half the odds
    assert detect(halved, rows.event, np.arange(2000.0)).p_value < 1e-6
    sharper = 1 / (1 + ((1 - rows.probability) / rows.probability) ** 0.7)
    assert detect(sharper, rows.event, np.arange(2000.0)).p_value > ALLOWED


def test_drift_of_inputs_alone_is_no_change_of_concept():
    """Riskier applicants whose outcomes follow their probabilities."""
    drawn = np.random.default_rng(9)
    probability = 1 / (1 + np.exp(-drawn.normal(1.0, 0.7, 3000)))
    event = (drawn.random(3000) < probability).astype(np.float64)
    assert detect(probability, event, np.arange(3000.0)).p_value > ALLOWED


def test_a_certain_probability_that_is_wrong_breaks_nothing():
    probability = np.array([0.0, 1.0] * 60)
    assert detect(probability, 1 - probability, np.arange(120.0)).p_value < 1e-9
