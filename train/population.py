"""From the rows of a table to the population that they stand for: what a row counts, and what the event's share is.

A sampling design says it in one of two ways: `source.weight`, what each row counts, or `prior`, the share of the event
among all applicants where rows were drawn by outcome. By Bayes' rule the odds of the event differ between table and
population by one factor for everybody, so `prior` moves each logit by the same amount, and ranks nobody otherwise
(Elkan, 2001; King and Zeng, 2001, "Logistic regression in rare events data").
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64] | None


def event_share(target: NDArray[np.int64], weight: NDArray[np.float64]) -> float:
    """The share of the event among rows, by their weights where there are any.

    >>> event_share(np.array([1, 0]), np.array([])), event_share(np.array([1, 0]), np.array([1.0, 3.0]))
    (0.5, 0.25)
    """
    return float(weight @ target / weight.sum()) if len(weight) else float(target.mean())


def logit_shift(target: NDArray[np.int64], weight: NDArray[np.float64], prior: float | None) -> float:
    """What `prior` adds to the logit of a model that was trained on rows with these outcomes; 0 without one.

    >>> round(logit_shift(np.array([1, 0]), np.array([]), 0.1), 4), logit_shift(np.array([1, 0]), np.array([]), None)
    (-2.1972, 0.0)
    """
    if prior is None:
        return 0.0
    share = event_share(target, weight)
    return math.log(prior / (1 - prior)) - math.log(share / (1 - share))


def row_weights(target: NDArray[np.int64], weight: NDArray[np.float64], prior: float | None) -> Weights:
    """What each row counts in a figure about the population, `[rows]` with a mean of 1; None where all count alike.

    >>> row_weights(np.array([1, 0, 1, 0]), np.array([]), 0.25).tolist()
    [0.5, 1.5, 0.5, 1.5]
    """
    if prior is None and not len(weight):
        return None
    counts = weight if len(weight) else np.ones(len(target))
    if prior is not None:
        share = event_share(target, weight)
        counts = counts * np.where(target == 1, prior / share if share else 0.0, (1 - prior) / (1 - share or 1.0))
    mean: NDArray[np.float64] = counts / counts.mean()
    return mean


def mean_of(values: NDArray[Any], weights: Weights) -> float:
    """The mean of `values` `[rows]`, by weights where there are any.

    >>> mean_of(np.array([True, False]), None), mean_of(np.array([1.0, 0.0]), np.array([0.5, 1.5]))
    (0.5, 0.25)
    """
    return float(values.mean() if weights is None else (values * weights).sum() / weights.sum())
