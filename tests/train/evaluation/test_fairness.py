"""Groups, and figures over them, against values worked out by hand."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from configs.dataset import Audit, read_dataset
from tests.conftest import GERMAN_CREDIT
from train.evaluation.fairness import audits_of, fairness
from train.publishing.model_card import fairness_section
from train.tables.column import NumberColumn
from train.tables.table import Table

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


def two_groups(*cells):
    """Groups of given counts: approved and declined without the event, then with it."""
    values, target, declined = [], [], []
    for name, counts in zip("abc", cells, strict=False):
        for kind, count in enumerate(counts):
            values += [name] * count
            target += [kind // 2] * count
            declined += [bool(kind % 2)] * count
    audit = Audit(column="g", groups={name: (name,) for name in "abc"})
    return fairness(audit, values, np.array(target), np.array(declined), 30, confidence=0.9, bootstrap=200)


@pytest.mark.parametrize(
    ("cells", "wrong", "odds", "ratio"),
    [
        ([(50, 0, 50, 0), (60, 0, 0, 0)], [(0, 1), (0, None)], 0.0, 1.0),
        ([(50, 0, 50, 0), (0, 0, 60, 0)], [(0, 1), (None, 1)], 0.0, 1.0),
        ([(40, 10, 50, 0), (0, 0, 60, 0)], [(0.2, 1), (None, 1)], 0.0, 0.9),
        ([(40, 0, 0, 0), (0, 0, 60, 0)], [(0, None), (None, 1)], None, 1.0),
        ([(0, 40, 0, 10), (0, 40, 0, 10)], [(1, 0), (1, 0)], 0.0, 0.0),
        ([(50, 0, 40, 10), (50, 0, 20, 30), (60, 0, 0, 0)], [(0, 0.8), (0, 0.4), (0, None)], 0.4, 0.7),
        ([(50, 0, 50, 0), (9, 20, 0, 0)], [(0, 1), (20 / 29, None)], None, None),
    ],
    ids=["no event", "only events", "one gap left", "no gap left", "nobody approved", "two of three", "too few rows"],
)
def test_a_rate_over_no_rows_is_undefined_and_what_needs_it_is_not_judged(cells, wrong, odds, ratio):
    found = two_groups(*cells)
    shown = [(group.declined_without_event, group.approved_with_event) for group in found.groups]
    assert shown == [tuple(rate if rate is None else pytest.approx(rate) for rate in rates) for rates in wrong]
    for estimate, value in ((found.odds_difference, odds), (found.approval_ratio, ratio)):
        assert estimate is None if value is None else estimate.value == pytest.approx(value)
    assert [group.judged for group in found.groups] == [sum(counts) >= 30 for counts in cells]


def test_a_rate_over_too_few_rows_is_shown_and_not_judged():
    # Of one event, all or nothing is approved, and each resample that has it agrees: a gap of 1 without a doubt.
    found = two_groups((50, 0, 0, 50), (59, 0, 1, 0))
    assert [group.approved_with_event for group in found.groups] == [0, 1]
    assert all(group.judged for group in found.groups)
    assert (found.odds_difference.value, found.odds_difference.low, found.odds_difference.high) == (0, 0, 0)
    judged = two_groups((50, 0, 0, 50), (50, 0, 30, 0))
    assert judged.odds_difference.value == 1


def test_groups_that_no_row_belongs_to_are_no_groups():
    found = fairness(SEX, [None] * 20, TARGET, DECLINED, 1, confidence=0.9, bootstrap=100)
    assert (found.groups, found.approval_ratio, found.odds_difference) == ([], None, None)


def test_the_card_shows_what_is_undefined_and_who_is_too_few():
    evidence = SimpleNamespace(
        fairness=[two_groups((50, 0, 50, 0), (60, 0, 0, 0), (9, 1, 0, 0)), two_groups((50, 0, 50, 0), (59, 0, 1, 0))]
    )
    lines = fairness_section(evidence).splitlines()[2:]
    assert [[cell.strip() for cell in line.strip("|").split("|")][2:] for line in lines] == [
        ["100", "100.0%", "0.0%", "100.0%"],
        ["60", "100.0%", "0.0%", "undefined: no such rows"],
        ["10, too few to judge", "90.0%", "10.0%", "undefined: no such rows"],
        ["100", "100.0%", "0.0%", "100.0%"],
        ["60", "100.0%", "0.0%", "100.0%, too few to judge"],
    ]


def test_a_protected_column_without_an_audit_is_audited_all_the_same():
    dataset = read_dataset(GERMAN_CREDIT)
    without = msgspec.structs.replace(dataset, audit=())
    table = Table({"age_years": NumberColumn([20.0, 30.0, 40.0, 50.0])}, np.array([0, 1, 0, 1]))
    assert audits_of(dataset, table) == list(dataset.audit)
    found = {audit.column: audit for audit in audits_of(without, table)}
    assert set(found) == {"personal_status_sex", "age_years", "foreign_worker"}
    assert found["age_years"].edges == (40.0,)
    assert found["foreign_worker"].groups == {"yes": ("yes",), "no": ("no",)}
