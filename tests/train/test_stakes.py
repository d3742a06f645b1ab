"""Costs of each row: in costs, savings and profit; and what a referral counts as."""

import msgspec
import numpy as np
import pytest

from configs.dataset import Audit, read_dataset
from configs.gates import read_gates
from configs.policy import CostOf, Costs, Refer
from tests.conftest import GERMAN_CREDIT
from train.evaluate import evaluate, mean_cost
from train.evaluation import figures
from train.evaluation.evidence import bootstrap_estimates, on_test_part
from train.evaluation.fairness import fairness
from train.evaluation.referrals import profit, referrals
from train.evaluation.savings import cost_alike, saving, saving_estimate
from train.publishing.policy_text import decision_line, figures_text
from train.stakes import Stakes, stakes_of
from train.tables.column import NumberColumn
from train.tables.table import Table

GERMAN = read_dataset(GERMAN_CREDIT)
GATES = msgspec.structs.replace(read_gates(), bootstrap=200)
OF_AMOUNT = Costs(missed_event=CostOf(column="credit_amount", times=0.6), false_alarm=200)
DATASET = msgspec.structs.replace(GERMAN, costs=OF_AMOUNT)
BAND = Refer(start=0.1, end=0.3)


@pytest.fixture(scope="module")
def drawn():
    """Amounts, probabilities that are true, and outcomes by them, of 4,000 rows."""
    rng = np.random.default_rng(0)
    amounts, probability = rng.uniform(100, 5000, 4000), rng.uniform(0.01, 0.5, 4000)
    return amounts, probability, (rng.random(4000) < probability).astype(np.int64)


def test_each_row_costs_what_its_own_amount_says():
    stakes = stakes_of(DATASET, {"credit_amount": np.array([1000.0, 500.0, 2000.0, 100.0])})
    target, declined = np.array([1, 1, 0, 0]), np.array([False, True, True, False])
    assert mean_cost(target, declined, stakes) == (600 + 200) / 4
    assert cost_alike(target, stakes) == min((600 + 300) / 4, 2 * 200 / 4)
    assert stakes.rows(np.array([0, 3])).missed_event.tolist() == [600, 60]
    assert stakes.rows(np.array([0, 3])).threshold.tolist() == [200 / 800, 200 / 260]


def test_a_threshold_of_each_row_costs_less_than_any_that_holds_for_all(drawn):
    amounts, probability, target = drawn
    stakes = stakes_of(DATASET, {"credit_amount": amounts})
    found = evaluate(target, probability.astype(np.float32), stakes)
    alike = min(mean_cost(target, probability >= threshold, stakes) for threshold in np.linspace(0, 1, 101))
    assert found.cost < 0.97 * alike
    assert found.cost_of_declining_all == pytest.approx(200 * (target == 0).mean())
    assert found.cost_of_approving_all == pytest.approx((0.6 * amounts * target).mean())


def test_a_probability_is_compared_in_doubles_as_the_service_does():
    served = float(np.float32(1 / 6))  # which is above 1/6, and equal to it as a single
    assert served > 1 / 6
    assert Stakes(5, 1, served).declined(np.array([1 / 6], dtype=np.float32)).tolist() == [True]
    below = float(np.nextafter(served, 1))
    assert Stakes(5, 1, below).declined(np.array([1 / 6], dtype=np.float32)).tolist() == [False]


def test_the_interval_of_a_saving_is_that_of_resampled_rows(drawn):
    amounts, probability, target = drawn
    stakes = stakes_of(DATASET, {"credit_amount": amounts})
    declined = stakes.declined(probability)
    found = saving_estimate(target, declined, stakes, GATES)
    rng = np.random.default_rng(1)
    drawn_again = [rng.integers(4000, size=4000) for _ in range(200)]
    values = [saving(target[rows], declined[rows], stakes.rows(rows)) for rows in drawn_again]
    low, high = np.quantile(values, [0.05, 0.95])
    width = high - low
    assert (found.low, found.high) == (pytest.approx(low, abs=width / 4), pytest.approx(high, abs=width / 4))
    assert found.value == saving(target, declined, stakes)
    assert bootstrap_estimates(target, probability, stakes, GATES)["saving"].low > 0


def test_profit_is_what_the_decisions_earn_and_what_is_expected_of_a_calibrated_model(drawn):
    amounts, probability, target = drawn
    stakes = stakes_of(DATASET, {"credit_amount": amounts})
    found = profit(target, probability, stakes, GATES)
    approved = ~stakes.declined(probability)
    by_hand = (200 * ((target == 0) & approved) - 0.6 * amounts * ((target == 1) & approved)).mean()
    assert found.realised == pytest.approx(by_hand)
    assert found.low < found.expected < found.high
    assert found.of_approving_all < found.realised
    best = 200 * (target == 0).mean()
    assert found.realised == pytest.approx(best - mean_cost(target, ~approved, stakes))
    assert profit(target, probability, stakes_of(GERMAN, {}), GATES) is None


def test_a_referral_costs_what_its_threshold_would_and_the_card_says_what_it_could(drawn):
    _, probability, target = drawn
    stakes = Stakes(5, 1, 1 / 6, BAND)
    plain = Stakes(5, 1, 1 / 6)
    assert evaluate(target, probability.astype(np.float32), stakes) == evaluate(
        target, probability.astype(np.float32), plain
    )
    found = referrals(target, probability, stakes)
    assert found.rows == ((probability >= 0.1) & (probability < 0.3)).sum()
    assert found.cost == mean_cost(target, probability >= 1 / 6, plain)
    assert found.cost_if_right < found.cost
    assert referrals(target, probability, plain) is None


def test_a_wider_band_cannot_pass_a_gate_that_a_narrow_one_fails(drawn):
    _, probability, target = drawn
    table = Table({"credit_amount": NumberColumn(np.full(4000, 1000.0))}, target)
    for refer in (None, BAND, Refer(start=0.01, end=0.9)):
        dataset = msgspec.structs.replace(GERMAN, refer=refer)
        unseen = on_test_part(table, probability, None, dataset, GATES)
        assert (unseen.saving, unseen.alike) == (
            saving_estimate(target, probability >= 1 / 6, stakes_of(GERMAN, {}), GATES),
            cost_alike(target, stakes_of(GERMAN, {})),
        )
        assert (unseen.referrals is None) == (refer is None)


def test_in_an_audit_a_referral_is_not_an_approval_and_is_shown():
    """Both groups are decided alike but for those who are referred."""
    probability = np.array([0.05, 0.15, 0.25, 0.5] * 50 + [0.05, 0.05, 0.05, 0.5] * 50)
    group, target = ["a"] * 200 + ["b"] * 200, np.tile([0, 0, 1, 1], 100)
    stakes = Stakes(5, 1, 0.3, BAND)
    audit = Audit(column="kind", groups={"a": ("a",), "b": ("b",)})
    found = fairness(
        audit, group, target, stakes.not_approved(probability), 30, 0.9, 100, referred=stakes.referred(probability)
    )
    assert [(one.name, one.approved, one.referred) for one in found.groups] == [("a", 0.25, 0.5), ("b", 0.75, 0)]
    assert found.approval_ratio.value == pytest.approx(1 / 3)
    without = fairness(audit, group, target, stakes.declined(probability), 30, 0.9, 100)
    assert without.approval_ratio.value == 1


@pytest.mark.parametrize("refer", [None, BAND])
def test_every_figure_is_drawn_of_rows_with_costs_of_their_own(drawn, refer):
    amounts, probability, target = drawn
    stakes = stakes_of(msgspec.structs.replace(DATASET, refer=refer), {"credit_amount": amounts})
    pictures = figures.all_of(target, probability.astype(np.float32), stakes, [], [])
    labels = [text.get_text() for text in pictures["confusion"].axes[0].get_xticklabels()]
    assert labels == ["approve", "decline", *(["refer"] if refer else [])]
    numbers = [int(text.get_text()) for text in pictures["confusion"].axes[0].texts]
    assert sum(numbers) == 4000
    assert figures.png(pictures["cost"]).startswith(b"\x89PNG")
    assert len(figures.points(target, probability, stakes)["cost"]["cost"]) == 101


def test_the_card_says_the_rule_and_what_it_came_to(drawn):
    amounts, probability, target = drawn
    dataset = msgspec.structs.replace(DATASET, refer=BAND)
    table = Table({"credit_amount": NumberColumn(amounts)}, target)
    first, second = figures_text(on_test_part(table, probability, None, dataset, GATES))
    assert "are referred: a person decides" in first
    assert "the decisions earn" in second
    assert decision_line(dataset) == (
        "refer from 0.1 to below 0.3, where a person decides; decline where approving costs more, by the costs of each "
        "applicant: a missed event costs 0.6 times its `credit_amount`, a false alarm 200"
    )
    assert decision_line(GERMAN) == "decline at 0.1667 and above: a missed event costs 5, a false alarm 1"
    assert figures_text(on_test_part(table, probability, None, GERMAN, GATES)) == []
