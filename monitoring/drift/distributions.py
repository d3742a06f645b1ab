"""Distributions out of whylogs profiles, and the drift between two of them.

Owns: what a sketch says of a column, brought to arrays that `monitoring.drift.statistics` compares. Leaves to others:
how a profile comes about (profiles), which drift is too much.

Up to a thousand values a quantile sketch holds every one; beyond, it is off by 0.3% of the rows at most in most cases.
Counts of texts are exact up to 96 different ones.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Feature
from monitoring.drift.statistics import bin_edges, ks, ks_by_chance, psi, psi_by_chance
from monitoring.profiles import whylogs_compat as why

QUANTILES = 2048  # read of a sketch: every value of a small one, steps of 0.05% of a large one
LONGEST_TEXT = 128  # characters that whylogs keeps


@dataclass(frozen=True)
class NumberSketch:
    """A numeric column: `points` are its sorted quantiles, `below(x)` is the share of values under `x`."""

    rows: int
    nulls: int
    points: NDArray[np.float64]
    sketch: Any

    def below(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """`[points]` shares of the values below each of the rising points."""
        if not len(points):
            return points
        return np.array(self.sketch.get_cdf(points.tolist())[:-1])


@dataclass(frozen=True)
class Drift:
    """How far one column has moved; `*_by_chance` is what samples of one distribution hardly ever exceed."""

    column: str
    reference_rows: int
    current_rows: int
    psi: float
    psi_by_chance: float
    ks: float | None = None  # of numbers only
    ks_by_chance: float | None = None


def drift_of(
    feature: Feature,
    reference: why.DatasetProfileView,
    current: why.DatasetProfileView,
    bins: int,
    significance: float,
) -> Drift | None:
    """The drift of one column between two profiles; None where one of them has no row of it.

    Missing values are a bin of their own in PSI and no part of KS.

    Args:
        feature: its name, its type and, if it has one, its vocabulary.
        reference: of the rows that a model was trained on.
        current: of the rows in question.
        bins: most bins of a numeric column; their edges are quantiles of the reference.
        significance: probability of exceeding `*_by_chance` where nothing has changed.
    """
    before, after = reference.get_column(feature.name), current.get_column(feature.name)
    if before is None or after is None or not _count(before, "n") or not _count(after, "n"):
        return None
    rows = _count(before, "n"), _count(after, "n")
    if feature.type == "categorical":
        expected, found = (category_counts(column, feature.categories) for column in (before, after))
        return Drift(feature.name, *rows, psi(expected, found), psi_by_chance(expected, found, significance))
    old, new = number_sketch(before), number_sketch(after)
    edges = bin_edges(old.points if old.rows else new.points, bins)
    expected, found = number_counts(old, edges), number_counts(new, edges)
    index, chance = psi(expected, found), psi_by_chance(expected, found, significance)
    if not old.rows or not new.rows:  # of nothing but missing values there is no distance; PSI tells
        return Drift(feature.name, *rows, index, chance)
    steps = np.union1d(old.points, new.points)
    points = np.union1d(steps, np.nextafter(steps, np.inf))  # the shares below and up to each step
    distance = ks(old.below(points), new.below(points))
    return Drift(feature.name, *rows, index, chance, distance, ks_by_chance(old.rows, new.rows, significance))


def number_sketch(column: why.ColumnProfileView) -> NumberSketch:
    """What the quantile sketch of a column holds."""
    nulls, metric = _count(column, "null"), column.get_metric("distribution")
    if metric is None or metric.kll.value.is_empty():
        return NumberSketch(0, nulls, np.empty(0), None)
    sketch = metric.kll.value
    points = np.unique(np.array(sketch.get_quantiles(np.linspace(0, 1, QUANTILES).tolist())))
    return NumberSketch(sketch.get_n(), nulls, points, sketch)


def number_counts(column: NumberSketch, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """`[bins + 1]` rows from each edge to the next, the first bin open below; last the missing values."""
    if not column.rows:
        return np.append(np.zeros(len(edges) + 1), column.nulls)
    shares = np.diff(column.below(edges), prepend=0.0, append=1.0)
    return np.append(np.rint(shares * column.rows), column.nulls)


def category_counts(column: why.ColumnProfileView, categories: tuple[str, ...]) -> NDArray[np.float64]:
    """`[categories + 2]` rows of each category; last those of all other texts, and the missing values."""
    metric, nulls = column.get_metric("frequent_items"), _count(column, "null")
    kept = dict.fromkeys(category[:LONGEST_TEXT] for category in categories)  # two may begin alike
    counts = [0 if metric is None else metric.frequent_strings.value.get_estimate(category) for category in kept]
    others = max(0, _count(column, "n") - nulls - sum(counts))
    return np.array([*counts, others, nulls], dtype=np.float64)


def _count(column: why.ColumnProfileView, which: str) -> int:
    """`n`, all rows of a column, or `null`, those without a value."""
    return int(getattr(column.get_metric("counts"), which).value)
