"""Performance by vintage: whether a model is as good, and its probabilities as true, for applicants who come later.

Owns the figures of each vintage, of rows that the model had not learned from: those of the walk forward, then those of
the test part. Leaves the names of vintages to `train.vintages`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitoring.drift.statistics import bin_edges, psi
from train.evaluation.resampling import roc_auc
from train.population import mean_of, row_weights
from train.tables.table import Table
from train.vintages import Vintage, vintages_of

LEAST_OF_EACH = 10  # rows of either outcome, for a ROC AUC that is more than a coin's
BINS = 10  # of the probabilities, deciles of the first part, for PSI
Z_90 = 1.644854  # standard deviations that hold 90% of a normal distribution

Scored = tuple[Table, NDArray[np.floating], str]  # rows, the probability of each, and where they are from


def by_vintage(parts: Sequence[Scored], prior: float | None) -> list[Vintage]:
    """The figures of each vintage of each part, the oldest first; none without dates."""
    if not all(len(table.time) for table, _, _ in parts):
        return []
    names, place = vintages_of(np.concatenate([table.time for table, _, _ in parts]))
    found, first, start = [], parts[0][1].astype(np.float64), 0
    for table, probability, part in parts:
        own = place[start : start + len(table.target)]
        start += len(own)
        counts = row_weights(table.target, table.weight, prior)
        for number in np.unique(own):
            rows = own == number
            score = probability[rows].astype(np.float64)
            weights = None if counts is None else counts[rows]
            found.append(_vintage(names[number], part, table.target[rows], score, weights, first))
    return found


def _vintage(
    name: str,
    part: str,
    target: NDArray[np.int64],
    score: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    first: NDArray[np.float64],
) -> Vintage:
    events, rows = int(target.sum()), len(target)
    enough = min(events, rows - events) >= LEAST_OF_EACH
    observed, low, high = share(target, weights)
    return Vintage(
        name=name,
        part=part,
        rows=rows,
        events=events,
        observed=observed,
        observed_low=low,
        observed_high=high,
        expected=mean_of(score, weights),
        roc_auc=roc_auc(target, score, weights) if enough else None,
        psi=shift(first, score),
    )


def share(target: NDArray[np.int64], weights: NDArray[np.float64] | None) -> tuple[float, float, float]:
    """The share of the event, with its 90% interval (Wilson, 1927); weighted rows count as fewer (Kish, 1965).

    >>> [round(value, 3) for value in share(np.array([1, 0, 0, 0] * 10), None)]
    [0.25, 0.156, 0.376]
    """
    found = mean_of(target, weights)
    rows = len(target) if weights is None else float(weights.sum() ** 2 / (weights @ weights))
    square = Z_90 * Z_90
    middle = (found + square / (2 * rows)) / (1 + square / rows)
    half = Z_90 / (1 + square / rows) * np.sqrt(found * (1 - found) / rows + square / (4 * rows * rows))
    return found, max(0.0, float(middle - half)), min(1.0, float(middle + half))


def shift(first: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """The PSI of the probabilities against `first`, those of the first part."""
    edges = bin_edges(first, BINS)
    counts = [
        np.bincount(np.searchsorted(edges, part, side="right"), minlength=len(edges) + 1) for part in (first, score)
    ]
    return psi(*counts)
