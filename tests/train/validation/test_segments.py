"""Figures by segment, for groupings of a dataset file and any other."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.models.tables import hand_made
from train.check import check
from train.stakes import Stakes
from train.validation.segments import groupings, performance

STAKES = Stakes(missed_event=5, false_alarm=1, threshold=1 / 6)
DRAWN = np.random.default_rng(0)
PROBABILITY = DRAWN.random(400)
TARGET = (DRAWN.random(400) < PROBABILITY).astype(np.int64)
VINTAGE = np.array(["2024-Q1", "2024-Q2"] * 190 + ["2024-Q3"] * 10 + [""] * 10, dtype=object)


def by_vintage(probability=PROBABILITY, least_rows=20):
    return performance("vintage", VINTAGE, TARGET, probability, STAKES, least_rows, 0.9)


def test_any_grouping_has_the_figures_of_each_of_its_groups():
    first, second = by_vintage()
    rows = VINTAGE == "2024-Q1"
    assert (first.grouping, first.name, second.name) == ("vintage", "2024-Q1", "2024-Q2")
    assert (first.rows, first.events) == (190, TARGET[rows].sum())
    assert first.approved == pytest.approx((PROBABILITY[rows] < 1 / 6).mean())
    assert first.predicted == pytest.approx(PROBABILITY[rows].mean())
    assert first.observed.value == pytest.approx(TARGET[rows].mean())
    assert first.roc_auc.value == pytest.approx(roc_auc_score(TARGET[rows], PROBABILITY[rows]))
    assert 0 <= first.roc_auc.low < first.roc_auc.value < first.roc_auc.high <= 1
    missed, alarm = (
        (TARGET[rows] == 1) & (PROBABILITY[rows] < 1 / 6),
        (TARGET[rows] == 0) & (PROBABILITY[rows] >= 1 / 6),
    )
    assert first.cost == pytest.approx((5 * missed.sum() + alarm.sum()) / 190)


def test_rows_count_by_weight():
    weights = np.where(TARGET == 1, 0.5, 1.0)
    first, _ = performance("vintage", VINTAGE, TARGET, PROBABILITY, STAKES, 20, 0.9, weights)
    rows = VINTAGE == "2024-Q1"
    assert first.observed.value == pytest.approx(np.average(TARGET[rows], weights=weights[rows]))
    assert first.predicted == pytest.approx(np.average(PROBABILITY[rows], weights=weights[rows]))
    assert first.roc_auc.value == pytest.approx(roc_auc_score(TARGET[rows], PROBABILITY[rows]))


def test_a_small_group_and_rows_in_none_are_left_out():
    assert [one.name for one in by_vintage(least_rows=11)] == ["2024-Q1", "2024-Q2"]
    found = by_vintage(least_rows=10)
    assert [(one.name, one.rows) for one in found] == [("2024-Q1", 190), ("2024-Q2", 190), ("2024-Q3", 10)]
    assert found[-1].roc_auc is None  # of ten rows, fewer than ten of one outcome


def test_a_group_is_off_where_the_interval_of_what_was_observed_does_not_hold_the_prediction():
    assert not any(one.off for one in by_vintage())
    assert all(one.off for one in by_vintage(PROBABILITY / 2))


def test_a_dataset_file_groups_by_audits_and_categories_and_a_missing_one_is_a_category(tmp_path):
    dataset = hand_made(tmp_path)
    table = check(dataset, 20)
    found = dict(groupings(dataset, table))
    assert set(found) == {"alter", "code", "都市"}
    assert set(found["alter"]) == {"under 25", "25 and over"}
    assert "missing" in found["都市"]
    assert all(len(member) == len(table.target) for member in found.values())
