"""The distributions in whylogs profiles, and the drift between two profiles.

Owns: converting the sketch of a column to the arrays that `monitoring.drift.statistics` compares. Leaves to others:
making profiles (profiles), which drift is too much.

A quantile sketch is exact up to a thousand values; beyond that its error is at most 0.3% of the rows in most cases.
Counts of texts are exact for up to 96 distinct texts.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.feature import Feature
from monitoring.drift.statistics import bin_edges, ks, ks_by_chance, psi, psi_by_chance
from monitoring.profiles import whylogs_compat as why

QUANTILES = 2048  # read from a sketch: every value of a small one, steps of 0.05% of a large one
LONGEST_TEXT = 128  # characters; whylogs truncates what is longer


@dataclass(frozen=True)
class NumberSketch:
    """A numeric column: `points` are its sorted quantiles, `below(x)` is the share of values less than `x`."""

    rows: int
    nulls: int
    sketch: Any

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """Distinct values, all of a small column: where its distribution has steps."""
        return np.unique(self.quantiles(QUANTILES))

    def quantiles(self, number: int) -> NDArray[np.float64]:
        """Return `[number]` evenly spaced quantiles, the smallest and the largest value included; none without rows."""
        if not self.rows:
            return np.empty(0)
        return np.array(self.sketch.get_quantiles(np.linspace(0, 1, number).tolist()))

    def below(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the `[points]` shares of values less than each of the increasing points."""
        if not len(points):
            return points
        return np.array(self.sketch.get_cdf(points.tolist())[:-1])


@dataclass(frozen=True)
class Drift:
    """How far one column has moved; `*_by_chance` is the value that samples of one distribution rarely exceed."""

    column: str
    reference_rows: int
    current_rows: int
    psi: float
    psi_by_chance: float
    ks: float | None = None  # numeric columns only
    ks_by_chance: float | None = None


def drift_of(
    feature: Feature,
    reference: why.DatasetProfileView,
    current: why.DatasetProfileView,
    bins: int,
    significance: float,
) -> Drift | None:
    """Return the drift of one column between two profiles, or None if either profile has no row of it.

    Missing values are a separate bin in PSI and are left out of KS.

    Args:
        feature: name, type and, for a categorical feature, vocabulary of the column.
        reference: profile of the rows that a model was trained on.
        current: profile of the rows to compare.
        bins: maximum number of bins of a numeric column, whose edges are quantiles of the reference.
        significance: probability of exceeding `*_by_chance` if nothing has changed.
    """
    columns = reference.get_column(feature.name), current.get_column(feature.name)
    if columns[0] is None or columns[1] is None:
        return None
    before, after = why.sketch_of(columns[0]), why.sketch_of(columns[1])
    rows = before.rows, after.rows
    if not all(rows):
        return None
    if feature.type == "categorical":
        expected, found = (category_counts(column, feature.categories) for column in (before, after))
        return Drift(feature.name, *rows, psi(expected, found), psi_by_chance(expected, found, significance))
    old, new = number_sketch(before), number_sketch(after)
    edges = bin_edges((old if old.rows else new).quantiles(QUANTILES), bins)
    expected, found = number_counts(old, edges), number_counts(new, edges)
    index, chance = psi(expected, found), psi_by_chance(expected, found, significance)
    if not old.rows or not new.rows:  # KS is undefined without values; PSI shows the change
        return Drift(feature.name, *rows, index, chance)
    steps = np.union1d(old.points, new.points)
    points = np.union1d(steps, np.nextafter(steps, np.inf))  # the shares before and at each step
    distance = ks(old.below(points), new.below(points))
    return Drift(feature.name, *rows, index, chance, distance, ks_by_chance(old.rows, new.rows, significance))


def number_sketch(column: why.ColumnSketch) -> NumberSketch:
    """Return the quantile sketch of a column."""
    return NumberSketch(0 if column.numbers is None else column.numbers.get_n(), column.nulls, column.numbers)


def number_counts(column: NumberSketch, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `[bins + 1]` row counts: from each edge to the next, the first bin open below, then the missing values."""
    if not column.rows:
        return np.append(np.zeros(len(edges) + 1), column.nulls)
    shares = np.diff(column.below(edges), prepend=0.0, append=1.0)
    return np.append(np.rint(shares * column.rows), column.nulls)


def category_counts(column: why.ColumnSketch, categories: tuple[str, ...]) -> NDArray[np.float64]:
    """Return `[categories + 2]` row counts: of each category, of all other texts, and of the missing values."""
    prefixes = dict.fromkeys(category[:LONGEST_TEXT] for category in categories)  # two may have the same prefix
    counts = [0 if column.texts is None else column.texts.get_estimate(prefix) for prefix in prefixes]
    others = max(0, column.rows - column.nulls - sum(counts))
    return np.array([*counts, others, column.nulls], dtype=np.float64)
