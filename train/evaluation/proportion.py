"""A share of rows, with an interval that is exact for any number of them."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from train.evaluation.estimate import Estimate
from train.population import Weights


def proportion(count: float, rows: float, confidence: float) -> Estimate:
    """The share `count / rows` with the interval of Clopper and Pearson (1934).

    >>> found = proportion(80, 100, 0.9)
    >>> [round(value, 3) for value in (found.value, found.low, found.high)]
    [0.8, 0.723, 0.863]
    """
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, count, rows - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(1 - tail, count + 1, rows - count)) if count < rows else 1.0
    return Estimate(count / rows, low, high)


def share_of(happened: NDArray[np.int64], weights: Weights, confidence: float) -> Estimate:
    """The share of rows, one at least, in which it `happened`, by `weights` where there are any, `[rows]` each.

    Weighted rows tell as much as `sum(w)² / sum(w²)` that count alike (Kish, 1965), and the interval is that of so many
    (Korn and Graubard, 1998, "Confidence intervals for proportions with small expected number of positive counts").

    >>> share_of(np.array([1, 0, 0, 1]), np.ones(4), 0.9) == share_of(np.array([1, 0, 0, 1]), None, 0.9)
    True
    """
    if weights is None:
        return proportion(int(happened.sum()), len(happened), confidence)
    total = float(weights.sum())
    share, rows = float(weights @ happened) / total, total**2 / float(weights @ weights)
    return proportion(min(share * rows, rows), rows, confidence)
