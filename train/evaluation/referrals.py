"""What is referred to a person, and what approving earns where the costs are amounts: figures for the model card.

Owns both. A gate judges neither: costs count a referral as its threshold would have it decided (`train.stakes`).
"""

import numpy as np
from numpy.typing import NDArray

from configs.gates import Gates
from train.evaluate import mean_cost
from train.evaluation import resampling
from train.evaluation.consequences import Profit, Referrals
from train.evaluation.estimate import percentile_estimate
from train.evaluation.paired import NO_GROUPS
from train.population import Weights, mean_of
from train.stakes import Stakes


def referrals(
    target: NDArray[np.int64], probability: NDArray[np.floating], stakes: Stakes, weights: Weights = None
) -> Referrals | None:
    """The rows that a person is to decide; None where the dataset file has no band for that.

    >>> from configs.policy import Refer
    >>> stakes = Stakes(5, 1, 1 / 6, Refer(start=0.1, end=0.3))
    >>> referrals(np.array([0, 1, 0, 1]), np.array([0.05, 0.15, 0.2, 0.9]), stakes)
    Referrals(rows=2, share=0.5, event_share=0.5, cost=1.5, cost_if_right=0.0)
    """
    if stakes.refer is None:
        return None
    chosen, declined = stakes.referred(probability), stakes.declined(probability)
    rows = int(chosen.sum())
    return Referrals(
        rows=rows,
        share=mean_of(chosen, weights),
        event_share=mean_of(target[chosen], None if weights is None else weights[chosen]) if rows else None,
        cost=mean_cost(target, declined, stakes, weights),
        cost_if_right=mean_cost(target, np.where(chosen, target == 1, declined), stakes, weights),
    )


def profit(
    target: NDArray[np.int64],
    probability: NDArray[np.floating],
    stakes: Stakes,
    gates: Gates,
    weights: Weights = None,
    group: NDArray[np.int64] = NO_GROUPS,
    prior: float | None = None,
) -> Profit | None:
    """What the decisions earn per applicant; None where the costs are numbers, relative to each other and no amounts.

    Approving an applicant earns `false_alarm`, what declining would have forgone, or loses `missed_event`.
    """
    if not stakes.differ:
        return None
    doubles, approved = probability.astype(np.float64), ~stakes.declined(probability)
    earned = np.where(target == 1, -np.asarray(stakes.missed_event), stakes.false_alarm)
    expected = (1 - doubles) * stakes.false_alarm - doubles * stakes.missed_event
    found, counted = earned * approved, np.zeros(0) if weights is None else weights
    means = [
        mean_of(found[rows], counts)
        for rows, counts in resampling.resamples_of(target, counted, group, prior, gates.bootstrap)
    ]
    realised = percentile_estimate(mean_of(found, weights), means, gates.confidence)
    return Profit(
        realised=realised.value,
        low=realised.low,
        high=realised.high,
        expected=mean_of(expected * approved, weights),
        of_approving_all=mean_of(earned, weights),
    )
