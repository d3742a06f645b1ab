"""What a model saves over one decision for all, per applicant, with an interval over resampled rows or customers.

Owns the figure. Leaves what a mistake costs to `train.stakes`, and the bounds to `train.gate`.
"""

import numpy as np
from numpy.typing import NDArray

from configs.gates import Gates
from train.evaluate import mean_cost
from train.evaluation import resampling
from train.evaluation.estimate import Estimate, percentile_estimate
from train.evaluation.paired import NO_GROUPS
from train.population import Weights
from train.stakes import Stakes


def saving_estimate(
    target: NDArray[np.int64],
    declined: NDArray[np.bool_],
    stakes: Stakes,
    gates: Gates,
    weights: Weights = None,
    group: NDArray[np.int64] = NO_GROUPS,
    prior: float | None = None,
) -> Estimate:
    """The saving with a percentile interval over resampled rows; where all cost alike, only four counts matter."""
    found = saving(target, declined, stakes, weights)
    if stakes.differ:
        counted = np.zeros(0) if weights is None else weights
        values = [
            saving(target[rows], declined[rows], stakes.rows(rows), counts)
            for rows, counts in resampling.resamples_of(target, counted, group, prior, gates.bootstrap)
        ]
        return percentile_estimate(found, values, gates.confidence)
    cell = 2 * target + declined  # approved and declined without the event, then with it
    rng = np.random.default_rng(0)
    drawn = resampling.resampled_cells(cell, 4, weights, gates.bootstrap, rng, group)
    if prior is not None:  # known, so that no resample has another share of events
        for cells, share in ((slice(2, 4), prior), (slice(0, 2), 1 - prior)):
            drawn[:, cells] *= share / np.maximum(drawn[:, cells].sum(axis=1, keepdims=True), 1e-12)
    rows = drawn.sum(axis=1)
    approved_event, declined_other = drawn[:, 2], drawn[:, 1]
    alike = np.minimum(stakes.missed_event * drawn[:, 2:].sum(axis=1), stakes.false_alarm * drawn[:, :2].sum(axis=1))
    saved = (alike - stakes.missed_event * approved_event - stakes.false_alarm * declined_other) / rows
    return percentile_estimate(found, saved, gates.confidence)


def saving(target: NDArray[np.int64], declined: NDArray[np.bool_], stakes: Stakes, weights: Weights = None) -> float:
    """Cost per applicant saved over declining or approving everyone, whichever is cheaper.

    >>> saving(np.array([1, 0, 0]), np.array([True, False, False]), Stakes(5, 1, threshold=1 / 6)).__round__(4)
    0.6667
    """
    return cost_alike(target, stakes, weights) - mean_cost(target, declined, stakes, weights)


def cost_alike(target: NDArray[np.int64], stakes: Stakes, weights: Weights = None) -> float:
    """Cost per applicant of one decision for all, whichever is cheaper."""
    return min(mean_cost(target, np.full(len(target), value), stakes, weights) for value in (True, False))
