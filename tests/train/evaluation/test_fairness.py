"""Groups, and figures over them, against values worked out by hand."""

import numpy as np
import pytest

from configs.dataset import Audit
from train.evaluation.fairness import fairness

SEX = Audit(column="sex", groups={"women": ("f",), "men": ("m", "M")})
#                 events: 4 women, 4 men; others: 6 women, 6 men
VALUES = ["f"] * 10 + ["m"] * 5 + ["M"] * 5
TARGET = np.array([1] * 4 + [0] * 6 + [1] * 4 + [0] * 6)
#                   women: 3 of 4 events declined, 3 of 6 others; men: 4 of 4, and 0 of 6
DECLINED = np.array([1, 1, 1, 0] + [1, 1, 1, 0, 0, 0] + [1, 1, 1, 1] + [0] * 6, dtype=bool)


def found(least_rows=1, values=VALUES, audit=SEX):
    return fairness(audit, values, TARGET, DECLINED, least_rows, confidence=0.9, bootstrap=200)


def test_figures_are_those_worked_out_by_hand():
    men, women = found().groups
    assert (women.name, women.rows, women.approved) == ("women", 10, pytest.approx(0.4))
    assert (women.declined_without_event, women.approved_with_event) == (pytest.approx(0.5), pytest.approx(0.25))
    assert (men.name, men.rows, men.approved) == ("men", 10, pytest.approx(0.6))
    assert found().approval_ratio.value == pytest.approx(0.4 / 0.6)
    assert found().odds_difference.value == pytest.approx(0.5)  # the larger of 0.5 - 0 and 0.25 - 0


def test_intervals_hold_their_value_and_come_out_the_same_again():
    for estimate in (found().approval_ratio, found().odds_difference):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert estimate.low < estimate.high
    assert found() == found()


def test_a_group_with_too_few_rows_is_shown_and_not_judged():
    assert found(least_rows=11).approval_ratio is None
    assert len(found(least_rows=11).groups) == 2


def test_rows_in_no_group_are_left_out():
    values = [None, *VALUES[1:]]
    women = found(values=values).groups[1]
    assert women.rows == 9


def test_edges_make_groups_of_numbers():
    audit = Audit(column="age", edges=(25, 60))
    ages = [24, 25, 59, 60] * 5
    assert [(group.name, group.rows) for group in found(values=ages, audit=audit).groups] == [
        ("25 to 60", 10),
        ("60 and over", 5),
        ("under 25", 5),
    ]
