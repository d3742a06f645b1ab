"""What the model card says of decisions: costs and thresholds, referrals, profit, and the score.

Owns these words. Leaves the card as a whole to `train.publishing.model_card`, and the figures to `train.evaluation`.
"""

import math
from collections.abc import Sequence

import numpy as np

from configs.dataset import Dataset
from configs.policy import CostOf, ScoreScale
from models.points import Points
from train.evaluation.consequences import Profit, Referrals
from train.evaluation.results import Fairness, Unseen

REFERRALS = """\
{rows:,} of the test rows ({share:.1%}) are referred: a person decides. Of them {events} have the event. In every cost \
and every gate they count as their threshold would have them decided, because what the person decides is not known: \
{cost:.4f} per applicant; if each were decided right, it would be {if_right:.4f}."""
NOT_APPROVED = """\
A referral counts as not approved, in both shares: a group that has to wait for a person more often than another is \
treated worse, and what the person decides is not known."""
PROFIT = """\
Approving earns the cost of a false alarm, or loses that of a missed event. On the test rows the decisions earn \
{found.realised:.4g} ({found.low:.4g} to {found.high:.4g}) per applicant, in the unit of the costs; by the \
probabilities, {found.expected:.4g} is to be expected. Approving everyone earns {found.of_approving_all:.4g}, \
declining everyone nothing."""
SCORE = """\
{points:g} points stand for odds of {odds:g} to 1 against the event, and {double:g} more double them. The score is \
rounded to a whole number; the points of each feature in an explanation are rounded so that they still add up to it, \
each by less than one. The decision follows from the probability, not from the rounded score."""
STEPS = (-3, -2, -1, 0, 1)  # doublings from the scale's own odds, for the table of the score


def decision_line(dataset: Dataset) -> str:
    """The rule by which probabilities are decided, in one line."""
    costs, refer, threshold = dataset.costs, dataset.refer, dataset.threshold
    cost = f"a missed event costs {_cost(costs.missed_event)}, a false alarm {_cost(costs.false_alarm)}"
    where = "where approving costs more, by the costs of each applicant" if threshold is None else None
    line = f"decline {where or f'at {threshold:.4f} and above'}: {cost}"
    band = f"refer from {refer.start:g} to below {refer.end:g}, where a person decides; " if refer else ""
    return band + line


def figures_text(unseen: Unseen) -> list[str]:
    """What the test rows say of referrals and profit."""
    found = [_referrals(unseen.referrals)] if unseen.referrals else []
    return [*found, _profit(unseen.profit)] if unseen.profit else found


def referred_text(audits: Sequence[Fairness]) -> list[str]:
    """The share of each audited group that is referred, and what that counts as."""
    shares = [
        f"`{audit.column}` {group.name} {group.referred:.1%}"
        for audit in audits
        for group in audit.groups
        if group.referred
    ]
    return [f"Referred: {', '.join(shares)}. {NOT_APPROVED}"] if shares else []


def score_section(dataset: Dataset, scale: ScoreScale) -> str:
    """The scale, the threshold on it, and the probabilities of some scores."""
    points = Points(scale)
    odds = [scale.odds * 2.0**step for step in STEPS]
    scores = points.scores(np.array([1 / (1 + each) for each in odds]))
    rows = [f"| {score} | {1 / (1 + each):.4f} |" for score, each in zip(scores, odds, strict=True)]
    text = SCORE.format(points=scale.points, odds=scale.odds, double=scale.double)
    if dataset.threshold is not None:
        log_odds = math.log(dataset.threshold / (1 - dataset.threshold))
        text += f" The threshold is at {float(points.exact(np.array(log_odds))):.1f} points."
    return "\n".join([text, "", "| score | probability of the event |", "|---|---|", *rows])


def _cost(cost: float | CostOf) -> str:
    return f"{cost.times:g} times its `{cost.column}`" if isinstance(cost, CostOf) else f"{cost:g}"


def _referrals(found: Referrals) -> str:
    events = "none" if found.event_share is None else f"{found.event_share:.1%}"
    return REFERRALS.format(
        rows=found.rows, share=found.share, events=events, cost=found.cost, if_right=found.cost_if_right
    )


def _profit(found: Profit) -> str:
    return PROFIT.format(found=found)
