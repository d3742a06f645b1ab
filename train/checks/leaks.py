"""What one column by itself tells of the outcome: a column that tells nearly all was written after the outcome.

Owns the figures of a column. Leaves its information value to `train.checks.exploration`, and the bounds to
`train.gating.leaks`. A bureau's score is strong; the balance that was written off is stronger than anything that is
known when somebody applies.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.feature import Feature
from train.tables.column import NumberColumn, TableColumn

FOLDS = 5
STEPS = 20  # quantiles of a numeric column; a value that is common has a bin of its own beside them
PRIOR_ROWS = 1.0  # by which the event rate of a bin is drawn to that of the table
BY_CHANCE = 1e-6  # probability below which no chance puts so many rows with one outcome together
LEAST_PURITY = 0.9  # share of one outcome from which such rows are told at all


@dataclass(frozen=True)
class Strength:
    """What a column tells by itself.

    Attributes:
        roc_auc: of the event rates of its bins, each scored by rows of other folds; 0.5 tells nothing.
        purity: the largest share of one outcome among the rows that have the column, lack it, or have one value of it,
            where chance does not give that; 0 if there are none.
        telling: those rows in words; empty if there are none.
    """

    roc_auc: float
    purity: float
    telling: str


def strength_of(feature: Feature, column: TableColumn, target: NDArray[np.int64]) -> Strength:
    """What a column `[rows]` tells of the outcome `[rows]`."""
    places, labels = bins_of(feature, column)
    purity, telling = purest(places, labels, target)
    return Strength(cross_fitted_roc_auc(places, target), purity, telling)


def bins_of(feature: Feature, column: TableColumn) -> tuple[NDArray[np.int64], list[str]]:
    """The bin of each row `[rows]`, and for each bin the value that it holds alone, or an empty text; missing is -1."""
    if not isinstance(column, NumberColumn):
        known = {category: place for place, category in enumerate(feature.categories)}
        return np.array([-1 if value is None else known[value] for value in column], dtype=np.int64), [*known]
    numbers = column.array
    present = np.sort(numbers[~np.isnan(numbers)])
    if not len(present):
        return np.full(len(numbers), -1, dtype=np.int64), []
    distinct = np.unique(present)
    # Each quantile begins a bin, and so does the value after it: what is common, such as 0, is apart.
    picked = np.searchsorted(distinct, present[(len(present) * np.arange(STEPS)) // STEPS])
    starts = np.unique(np.concatenate([[0], picked, picked + 1]))
    starts = starts[starts < len(distinct)]
    ends = np.append(starts[1:], len(distinct))
    labels = [f"{distinct[start]:g}" if end == start + 1 else "" for start, end in zip(starts, ends, strict=True)]
    places = np.searchsorted(distinct[starts], numbers, side="right") - 1
    return np.where(np.isnan(numbers), -1, places).astype(np.int64), labels


def cross_fitted_roc_auc(places: NDArray[np.int64], target: NDArray[np.int64]) -> float:
    """ROC AUC of the event rates of the bins; a row is scored by other folds, so that rare bins gain nothing.

    >>> target = np.arange(100) % 2
    >>> cross_fitted_roc_auc(target, target), cross_fitted_roc_auc(np.arange(100), target)
    (1.0, 0.5)
    """
    bins = int(places.max()) + 2  # the last one holds what is missing
    fold, drawn = np.empty(len(target), dtype=np.int64), np.random.default_rng(0)
    for outcome in (0, 1):
        rows = drawn.permutation(np.flatnonzero(target == outcome))
        fold[rows] = np.arange(len(rows)) % FOLDS
    # Whole numbers up to the division, so that every processor gives the same figure; one prior for all folds.
    prior, score = float(target.mean()), np.empty(len(target))
    for number in range(FOLDS):
        others = fold != number
        rows = np.bincount(places[others] % bins, minlength=bins)
        events = np.bincount(places[others] % bins, weights=target[others], minlength=bins)
        score[~others] = ((events + PRIOR_ROWS * prior) / (rows + PRIOR_ROWS))[places[~others] % bins]
    return roc_auc(target, score)


def roc_auc(target: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """The share of pairs that the score orders right, ties half; from counts alone, as scikit-learn takes seconds.

    >>> roc_auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875
    """
    _, place = np.unique(score, return_inverse=True)
    events, rows = np.bincount(place, weights=target), np.bincount(place)
    others = rows - events
    right = events * (np.cumsum(others) - others / 2)
    pairs = events.sum() * others.sum()
    return float(right.sum() / pairs) if pairs else 0.5


def purest(places: NDArray[np.int64], labels: list[str], target: NDArray[np.int64]) -> tuple[float, str]:
    """The purest rows that chance does not explain: those with the column, those without, or those with one value.

    A value counts where its rows have the event: that some never default may be true of a few, that all do is not.
    """
    missing = places < 0
    share = float(target.mean())
    groups: list[tuple[str, NDArray[np.bool_], tuple[int, ...]]] = []
    if missing.any() and not missing.all():
        groups += [("that have a value", ~missing, (0, 1)), ("without a value", missing, (0, 1))]
    groups += [(f"with {label!r}", places == place, (1,)) for place, label in enumerate(labels) if label]
    found = (0.0, "")
    for said, rows, outcomes in groups:
        count = int(rows.sum())
        for outcome in outcomes:
            alike = int((target[rows] == outcome).sum())
            base = share if outcome else 1 - share
            purity = alike / count if count else 0.0
            if purity > max(found[0], LEAST_PURITY) and chance(alike, count, base) < BY_CHANCE:
                what = "the event" if outcome else "none"
                found = purity, f"of the {count:,} rows {said}, {alike:,} have {what}"
    return found


def chance(alike: int, rows: int, share: float) -> float:
    """A bound on the probability that `alike` or more of `rows` rows have an outcome that `share` of all rows have.

    Chernoff (1952): `exp(-rows * KL(alike / rows, share))`, exact where all are alike.

    >>> round(chance(12, 12, 0.3) / 0.3**12, 6), chance(3, 10, 0.3)
    (1.0, 1.0)
    """
    found = alike / rows
    if found <= share:
        return 1.0
    divergence = found * math.log(found / share)
    if found < 1:
        divergence += (1 - found) * math.log((1 - found) / (1 - share))
    return math.exp(-rows * divergence)
