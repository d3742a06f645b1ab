"""Each column for people: how its rows were spread of late and in the reference, and how far it has moved since when.

Owns: labels of bars, and which windows count as now. Leaves to others: counting and statistics (`monitoring.drift`),
drawing (charts).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from msgspec import Struct

from monitoring.drift.columns import FEW_VALUES
from monitoring.drift.looking import ColumnDrift, Histogram


class Shape(Struct, frozen=True):
    """Shares of rows by bar, in the reference and of late; rows without a value are in neither.

    Attributes:
        column: its name.
        labels: of the bars: categories, values, or `low to high`.
        ticks: what stands under the bars of a number; empty for categories.
        reference: `[bars]` shares.
        current: `[bars]` shares.
    """

    column: str
    labels: tuple[str, ...]
    ticks: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


class Column(Struct, frozen=True):
    """A column on the page: its shape, its drift in the newest window, and that of the days before.

    Attributes:
        shape: of the last day.
        drift: of the newest breach of the last day, or else of the newest window; None where nothing was compared.
        history: the days of the last two weeks, the oldest first: their start, PSI and its bound.
    """

    shape: Shape
    drift: ColumnDrift | None
    history: tuple[tuple[datetime, float, float], ...]

    @property
    def moved(self) -> bool:
        """Whether there is a breach now."""
        return self.drift is not None and self.drift.breach


def columns(found: Iterable[Histogram], drift: Sequence[ColumnDrift], model: str, since: datetime) -> list[Column]:
    """The columns of a model, those that have moved first, then by their PSI.

    Args:
        found: histograms of the last day.
        drift: of all windows.
        model: the version that is shown.
        since: the start of the last day.
    """
    made = []
    for histogram in found:
        if histogram.model != model:
            continue
        windows = [one for one in drift if (one.model, one.column) == (model, histogram.column)]
        windows.sort(key=lambda one: one.start)
        late = [one for one in windows if one.until > since and one.breach] or windows
        history = tuple((one.start, one.psi, one.psi_bound) for one in windows)
        made.append(Column(shape_of(histogram), late[-1] if late else None, history))
    return sorted(made, key=lambda column: (not column.moved, -(column.drift.psi if column.drift else 0.0)))


def shape_of(histogram: Histogram) -> Shape:
    """A histogram with words for its bars; the bar for other texts goes where no row is in it."""
    before, now = tuple(histogram.reference), tuple(histogram.current)
    if histogram.categories is not None:
        kept = len(now) if before[-1] or now[-1] else len(now) - 1
        return Shape(histogram.column, tuple(histogram.categories[:kept]), (), before[:kept], now[:kept])
    edges = histogram.edges or []
    if len(now) <= FEW_VALUES:
        labels = ticks = tuple(f"{value:.6g}" for value in values_between(edges))
    else:
        ends = [f"{edge:.2g}" if abs(edge) < 1 else f"{edge:,.0f}" for edge in edges]
        labels = tuple(f"{low} to {high}" for low, high in pairwise(ends))
        ticks = (ends[0], ends[len(ends) // 2], ends[-1])
    return Shape(histogram.column, labels, ticks, before, now)


def values_between(edges: Sequence[float]) -> list[float]:
    """The values around which edges were laid, half-way between neighbours.

    >>> values_between([0.5, 1.5, 3.0, 5.0])
    [1.0, 2.0, 4.0]
    """
    values = [(edges[0] + edges[1]) / 2]
    for edge in edges[1:-1]:
        values.append(2 * edge - values[-1])
    return values
