"""One column of a profile as counts that can be added: the form in which windows are merged and compared.

Owns: which points and categories of the reference a column is counted at. Leaves to others: reading sketches
(distributions), what the counts say (comparison).

Profiles of one column are counted at the same points, so those of a day are the sum of those of its hours. KS is
exact with the steps of the reference alone: between two of them the reference is constant, and the distance largest at
one of the ends. Counts of a sketch have its error: none up to a thousand values, beyond that 0.3% of the rows in most
cases.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.drift.distributions import category_counts, number_sketch
from monitoring.drift.statistics import bin_edges
from monitoring.profiles import whylogs_compat as why

POINTS = 1024  # of the reference at most, at which a numeric column is counted: steps of 0.1%
TOLERANCE = 1e-5  # relative; the reference has six digits of a probability, and processors differ in further ones
PLOT_BINS = 20  # of equal width, for people
FEW_VALUES = 12  # a numeric column with no more has a bar for each of them


@dataclass(frozen=True)
class Counts:
    """The rows of one column in one or several profiles.

    Attributes:
        rows: all of them.
        nulls: rows without a value.
        values: of numbers, `[2 * points + edges]` rows with values less than each of `Layout.at`; of texts,
            `[categories]` rows with each.
        numbers: of numbers, the rows that have one.
    """

    rows: int
    nulls: int
    values: NDArray[Any]
    numbers: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """The rows of both."""
        values = np.add(self.values, other.values, dtype=np.int64)
        return Counts(self.rows + other.rows, self.nulls + other.nulls, values, self.numbers + other.numbers)

    def compact(self) -> "Counts":
        """The same in as little memory as possible: of an hour of less than 65,536 rows, two bytes per count."""
        return replace(self, values=self.values.astype(np.min_scalar_type(self.rows)))


@dataclass(frozen=True)
class Layout:
    """Where a column is counted; `categories` is None for numbers, and `at` is empty for texts.

    Attributes:
        name: of the column.
        categories: its vocabulary.
        points: `[points]` values of the reference at which its distribution has steps.
        bins: `[bins - 1]` places in `points` of the lower edges of the bins of PSI, but of the first, open one.
        plot: `[edges]` edges of the bins that people see.
        at: `[2 * points + edges]`: just below and just above each point, then the edges.
    """

    name: str
    categories: tuple[str, ...] | None
    points: NDArray[np.float64]
    bins: NDArray[np.int64]
    plot: NDArray[np.float64]
    at: NDArray[np.float64]

    @cached_property
    def _steps(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The distinct values of `at` in their order, and the place of each of `at` among them."""
        return np.unique(self.at, return_inverse=True)

    def count(self, column: why.ColumnSketch) -> Counts:
        """Count a column of a profile."""
        rows, nulls = column.rows, column.nulls
        if self.categories is not None:
            known = category_counts(column, self.categories)[:-2]  # fewer than categories, if two begin alike
            known = np.append(known, np.zeros(len(self.categories) - len(known)))
            return Counts(rows, nulls, np.rint(known).astype(np.int64))
        sketch = number_sketch(column)
        if not sketch.rows:
            return Counts(rows, nulls, np.zeros(len(self.at), np.int64))
        steps, places = self._steps
        below = np.rint(sketch.below(steps) * sketch.rows).astype(np.int64)
        return Counts(rows, nulls, below[places], sketch.rows)

    def unknown(self, counts: Counts) -> int:
        """Rows with a text that is no category, or with something that is no number."""
        known = counts.numbers if self.categories is None else int(counts.values.sum())
        return max(0, counts.rows - counts.nulls - known)

    def histogram(self, counts: Counts) -> NDArray[np.int64]:
        """Return `[bins + 2]` rows: of each bin or category, then unknown ones and nulls."""
        known = counts.values
        if self.categories is None:
            below = counts.values[: len(self.points)][self.bins]
            known = _between(below, counts.numbers)
        return np.array([*known, self.unknown(counts), counts.nulls], dtype=np.int64)

    def cumulative(self, counts: Counts) -> NDArray[np.float64]:
        """Return the `[2 * points]` shares of the numbers below and up to each point."""
        shares: NDArray[np.float64] = counts.values[: 2 * len(self.points)] / max(1, counts.numbers)
        return shares

    def bars(self, counts: Counts) -> NDArray[np.int64]:
        """Return the `[bars]` rows that people see, without nulls; those outside the edges are in the outer two."""
        if self.categories is not None:
            return self.histogram(counts)[:-1]
        below = counts.values[2 * len(self.points) :]
        return _between(below[1:-1], counts.numbers)

    def empty(self, rows: int) -> Counts:
        """Return the counts of a column that has no value in any of these rows."""
        return Counts(rows, rows, np.zeros(len(self.at if self.categories is None else self.categories), np.int64))


def layout_of(
    name: str,
    categories: tuple[str, ...] | None,
    reference: why.ColumnSketch,
    bins: int,
    tolerance: float = 0.0,
) -> Layout:
    """Return where a column is counted, by its reference.

    Args:
        name: of the column.
        categories: its vocabulary; None for numbers.
        reference: the column in the profile that others are compared with.
        bins: of PSI, at most; about equally many rows of the reference in each.
        tolerance: relative, within which two numbers count as the same.
    """
    none = np.empty(0)
    if categories is not None:
        return Layout(name, categories, none, np.empty(0, np.int64), none, none)
    quantiles = number_sketch(reference).quantiles(POINTS)
    points = np.unique(quantiles)
    width = np.abs(points) * tolerance
    edges = np.searchsorted(points, bin_edges(quantiles, bins))
    plot = _plot_edges(points, quantiles)
    above = np.nextafter(points + width, np.inf)
    return Layout(name, None, points, edges, plot, np.concatenate([points - width, above, plot]))


def _between(below: NDArray[Any], rows: int) -> NDArray[np.int64]:
    """Return the `[edges + 1]` rows between edges, of the `[edges]` rows below each of them and all rows."""
    edges = np.array([0, *below.tolist(), rows], dtype=np.int64)
    return edges[1:] - edges[:-1]


def _plot_edges(points: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Around each value, where they are few; else of equal width, over all but 0.5% of the rows on either side.

    Between whole numbers the width is whole too, or some bars would have a value more than others.
    """
    if len(points) < 2:
        middle = points[0] if len(points) else 0.0
        return np.array([middle - 0.5, middle + 0.5])
    if len(points) <= FEW_VALUES:
        half = np.diff(points) / 2
        return np.concatenate([[points[0] - half[0]], points[:-1] + half, [points[-1] + half[-1]]])
    low, high = np.quantile(quantiles, [0.005, 0.995])
    if np.array_equal(points, np.rint(points)):
        low, width = np.floor(low) - 0.5, max(1.0, np.ceil((high - low + 1) / PLOT_BINS))
        return np.asarray(low + width * np.arange(np.ceil((high + 0.5 - low) / width) + 1))
    return np.linspace(low, high if high > low else low + 1, PLOT_BINS + 1)
