"""Deciles and zones, against values worked out by hand."""

import numpy as np
import pytest

from configs.policy import Refer
from train.evaluation.proportion import share_of
from train.stakes import Stakes
from train.validation.outcomes import deciles, zones

#                     20 rows at 0.8, 20 at 0.4, 20 at 0.1, in no order; of which 15, 10 and 1 have the event
PROBABILITY = np.array([0.8, 0.4, 0.1] * 20)
TARGET = np.zeros(60, dtype=np.int64)
for _start, _events in ((0, 15), (1, 10), (2, 1)):
    TARGET[_start : _start + 3 * _events : 3] = 1


def test_a_decile_has_what_was_predicted_and_observed_and_its_lift_over_all_rows():
    first, second, third = deciles(TARGET, PROBABILITY, 0.9)
    assert [(part.rows, part.events) for part in (first, second, third)] == [(20, 15), (20, 10), (20, 1)]
    assert (first.lowest, first.highest, first.predicted) == (0.8, 0.8, pytest.approx(0.8))
    assert first.observed.value == 0.75
    assert first.observed.low < 0.75 < first.observed.high < 0.95
    assert [part.lift for part in (first, second, third)] == pytest.approx([0.75 / (26 / 60), 0.5 * 60 / 26, 3 / 26])
    assert [part.found for part in (first, second, third)] == pytest.approx([15 / 26, 25 / 26, 1])


def test_a_large_table_has_ten_and_a_tiny_one_has_one():
    drawn = np.random.default_rng(0)
    probability = drawn.random(2000)
    found = deciles((drawn.random(2000) < probability).astype(np.int64), probability, 0.9)
    assert [part.rows for part in found] == [200] * 10
    assert [part.lowest for part in found] == sorted((part.lowest for part in found), reverse=True)
    assert len(deciles(np.array([0, 1, 0]), np.array([0.2, 0.3, 0.1]), 0.9)) == 1


def test_last_bits_of_a_probability_put_no_row_into_another_decile():
    rows = np.array([0.3] * 40)
    target = np.array([1] * 20 + [0] * 20)
    shaken = rows + np.random.default_rng(0).normal(0, 1e-9, 40)
    assert [part.events for part in deciles(target, shaken, 0.9)] == [20, 0]


def test_zones_are_the_sides_of_the_threshold_and_what_is_near_it():
    approved, near, declined = zones(TARGET, PROBABILITY, Stakes(2, 1, threshold=1 / 3), 0.9)
    assert (approved.name, approved.rows, approved.events, approved.predicted) == (
        "approved",
        20,
        1,
        pytest.approx(0.1),
    )
    assert (near.rows, near.predicted, near.observed.value) == (20, pytest.approx(0.4), 0.5)  # odds of 2 : 3 and 1 : 2
    assert (declined.rows, declined.events, declined.predicted) == (40, 25, pytest.approx(0.6))


def test_a_zone_without_rows_has_no_figures():
    found = zones(TARGET, PROBABILITY, Stakes(1, 19, threshold=0.95), 0.9)
    assert [zone.observed is None for zone in found] == [False, True, True]


def test_who_is_referred_is_neither_approved_nor_declined():
    found = zones(TARGET, PROBABILITY, Stakes(2, 1, threshold=1 / 3, refer=Refer(start=0.3, end=0.5)), 0.9)
    assert {zone.name: zone.rows for zone in found}["referred"] == ((PROBABILITY >= 0.3) & (PROBABILITY < 0.5)).sum()
    assert sum(zone.rows for zone in found if zone.name != "near the threshold") == len(TARGET)


def test_rows_count_by_weight_and_tell_as_much_as_fewer_that_count_alike():
    twice = np.where(PROBABILITY == 0.8, 2.0, 1.0)
    first, *_ = deciles(TARGET, PROBABILITY, 0.9, twice)
    assert first.observed.value == 0.75
    assert first.lift == pytest.approx(0.75 / ((30 + 10 + 1) / 80))
    assert first.found == pytest.approx(30 / 41)
    happened, uneven = np.tile([1, 0], 10), np.tile([3.0, 3.0, 1.0, 1.0], 5)
    weighted, alike = (share_of(happened, weights, 0.9) for weights in (uneven, None))
    assert weighted.value == alike.value == 0.5
    assert weighted.high - weighted.low > alike.high - alike.low
