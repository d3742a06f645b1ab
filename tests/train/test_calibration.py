"""Calibration: what held-out logits are worth, also as a mean of more members than held them out."""

import math

import numpy as np
import pytest

from train.calibration import averaging_gain, calibrate, held_out_logits, of_mean, rising


def test_a_rows_held_out_logit_comes_from_the_members_that_did_not_see_it():
    logits = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    held_out = np.array([[True, False, False], [True, True, False]])
    assert held_out_logits(logits, held_out).tolist() == [5.5, 20.0]


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, -1.0), (3.0, 2.0)])
@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_calibration_recovers_a_known_slope_and_intercept(slope, intercept, scale):
    drawn = np.random.default_rng(0)
    logits = drawn.normal(size=40_000)
    happened = (drawn.random(40_000) < 1 / (1 + np.exp(-(slope * logits + intercept)))).astype(np.int64)
    found = calibrate(logits * scale, happened)
    assert found == (pytest.approx(slope / scale, rel=0.06), pytest.approx(intercept, abs=0.06))


def test_calibration_stays_finite_where_the_logits_tell_all_or_nothing():
    target = np.array([0, 1] * 50)
    for logits in (target * 20.0 - 10, np.zeros(100)):
        assert all(math.isfinite(value) for value in calibrate(logits, target))


@pytest.mark.parametrize("seed", range(5))
def test_logits_that_rank_the_wrong_way_give_everyone_the_base_rate(seed):
    drawn = np.random.default_rng(seed)
    target = (drawn.random(200) < 0.3).astype(np.int64)
    logits = drawn.normal(size=200) - target
    assert calibrate(logits, target)[0] < 0
    slope, intercept = rising(logits, target)
    assert slope == 0
    assert 1 / (1 + math.exp(-intercept)) == pytest.approx(target.mean())


def drawn_members(members, noise, rows=40_000):
    """Logits `[members, rows]` that share a signal, of which a row was held out by one member; and their outcomes."""
    drawn = np.random.default_rng(0)
    target = (drawn.random(rows) < 0.3).astype(np.int64)
    signal = drawn.normal(size=rows) + 1.5 * target
    held_out = np.arange(rows) % members == np.arange(members)[:, None]
    return signal + noise * drawn.normal(size=(members, rows)), held_out, target


@pytest.mark.parametrize("noise", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("members", [4, 8])
def test_the_slope_is_that_of_the_mean_of_all_members(members, noise):
    logits, held_out, target = drawn_members(members, noise)
    expected = calibrate(logits.mean(axis=0), target)  # nobody can know it when members have seen the rows
    assert of_mean(logits, held_out, target) == pytest.approx(expected, abs=0.03)
    if noise > 0.5:
        assert calibrate(held_out_logits(logits, held_out), target)[0] < 0.85 * expected[0]


def test_members_that_held_out_as_much_as_is_averaged_correct_nothing():
    target = np.array([0, 1] * 50)
    logits = np.random.default_rng(0).normal(size=(1, 100)) + target
    alone = np.ones((1, 100), dtype=np.bool_)
    assert of_mean(logits, alone, target) == calibrate(logits[0], target)
    half = np.arange(100) % 2 == np.arange(2)[:, None]
    assert averaging_gain(np.repeat(logits, 2, axis=0), half, logits[0], target) == 0  # one member saw a row


def test_members_that_agree_on_nothing_at_most_double_the_slope():
    logits, held_out, target = drawn_members(8, 30.0, rows=800)
    assert averaging_gain(logits, held_out, held_out_logits(logits, held_out), target) == 0.5
