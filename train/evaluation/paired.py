"""Two scores of the same rows: the difference in ROC AUC, with an interval in closed form.

DeLong, DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
characteristic curves", with the midranks of Sun and Xu (2014), which take a sort and no pairs.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from train.evaluation.results import Estimate
from train.population import Weights

NO_GROUPS = np.zeros(0, dtype=np.int64)


def roc_auc_gain(
    target: NDArray[np.int64],
    ours: NDArray[np.floating],
    theirs: NDArray[np.floating],
    confidence: float,
    weights: Weights = None,
    group: NDArray[np.int64] = NO_GROUPS,
) -> Estimate:
    """ROC AUC of `ours` less that of `theirs`, `[rows]` each; there have to be two rows of either outcome.

    With `weights` or customers, a `group` of each row, `[rows]`, the interval is that of the same sums by rows or by
    customers (Obuchowski, 1997, "Nonparametric analysis of clustered ROC curve data").

    >>> score = np.array([0.1, 0.4, 0.3, 0.8])
    >>> roc_auc_gain(np.array([0, 1, 0, 1]), score, score, 0.9)
    Estimate(value=0.0, low=0.0, high=0.0)
    """
    if weights is not None or len(group):
        return _weighted(target, ours, theirs, confidence, np.ones(len(target)) if weights is None else weights, group)
    differences = [
        one - other for one, other in zip(_placements(target, ours), _placements(target, theirs), strict=True)
    ]
    value = float(differences[0].mean())
    spread = float(np.sqrt(sum(part.var(ddof=1) / len(part) for part in differences)))
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * spread
    return Estimate(value, value - reach, value + reach)


def _weighted(
    target: NDArray[np.int64],
    ours: NDArray[np.floating],
    theirs: NDArray[np.floating],
    confidence: float,
    weights: NDArray[np.float64],
    group: NDArray[np.int64],
) -> Estimate:
    difference = _outranked(target, ours, weights) - _outranked(target, theirs, weights)
    share = np.empty(len(target))  # of the weight of its outcome
    for outcome in (0, 1):
        share[target == outcome] = weights[target == outcome] / weights[target == outcome].sum()
    value = float(share[target == 1] @ difference[target == 1])
    moved: NDArray[np.float64] = share * (difference - value)  # how far each row moves the value, to first order
    if len(group):
        moved = np.bincount(np.unique(group, return_inverse=True)[1], weights=moved).astype(np.float64)
    spread = float(np.sqrt((moved**2).sum() * len(moved) / max(len(moved) - 1, 1)))
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * spread
    return Estimate(value, value - reach, value + reach)


def _outranked(
    target: NDArray[np.int64], score: NDArray[np.floating], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of each row, the share by weight of the rows with the other outcome that it is ordered right with, ties half."""
    _, place = np.unique(score, return_inverse=True)
    found = np.empty(len(target))
    for outcome in (0, 1):
        others = np.bincount(place, weights=np.where(target == outcome, 0.0, weights))
        below = (np.cumsum(others) - others / 2)[place][target == outcome] / others.sum()
        found[target == outcome] = below if outcome else 1 - below
    return found


def _placements(target: NDArray[np.int64], score: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
    """For each event the share of the others that it outranks, and for each other the share of events that outrank it.

    The mean of each of both is the ROC AUC.
    """
    values = score.astype(np.float64)
    events, others = values[target == 1], values[target == 0]
    among_all, among_events, among_others = (stats.rankdata(part) for part in (values, events, others))
    of_events = (among_all[target == 1] - among_events) / len(others)
    of_others = 1 - (among_all[target == 0] - among_others) / len(events)
    return of_events, of_others
