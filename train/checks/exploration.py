"""Exploration: the distribution of each column and its relation to the event, as numbers for the report.

Owns bins, event rates with their intervals, weight of evidence and information value. Leaves checks to
`train.checks.quality` and the page to `train.checks.data_report`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from configs.feature import Feature
from models.schema import Values
from monitoring.drift.statistics import HALF_A_ROW, bin_edges, psi, psi_by_chance
from train.checks.leaks import strength_of
from train.rounding import mean_and_deviation
from train.tables.column import NumberColumn, TableColumn
from train.tables.table import Table

Z_95 = 1.959964  # standard deviations that hold 95% of a normal distribution
SIGNIFICANCE = 0.05  # share of unrelated features that exceed chance all the same
STRENGTHS = ((0.02, "none"), (0.1, "weak"), (0.3, "medium"), (0.5, "strong"), (math.inf, "suspiciously strong"))


@dataclass(frozen=True)
class Bin:
    """One value, or one range of values, of a column."""

    label: str
    rows: int
    events: int
    rate: float  # share of events; 0 in a bin without rows
    rate_low: float  # 95% interval
    rate_high: float
    woe: float


@dataclass(frozen=True)
class Exploration:
    """One column; its last bin holds the missing values, if there are any."""

    name: str
    type: str
    unit: str
    description: str
    protected: bool
    rows: int
    missing: int
    distinct: int
    summary: dict[str, float]  # of numbers: minimum, quartiles, maximum, mean, standard deviation
    information_value: float
    value_by_chance: float  # what one in twenty features unrelated to the event reaches
    strength: str
    roc_auc: float  # this column alone, and what else it tells by itself: `train.checks.leaks`
    purity: float
    telling: str
    bins: tuple[Bin, ...]


def explore(dataset: Dataset, table: Table, bins: int) -> tuple[Exploration, ...]:
    """Every feature of the dataset, in its order; numbers in at most `bins` bins."""
    return tuple(
        explore_column(feature, table.columns[feature.name], table.target, bins) for feature in dataset.features
    )


def explore_column(feature: Feature, values: Values, target: NDArray[np.int64], bins: int) -> Exploration:
    """One column against the outcome.

    Args:
        feature: the feature in the dataset file.
        values: `[rows]`, text or numbers, None where missing.
        target: `[rows]`, 1 where the event happened.
        bins: most bins of a numeric column.
    """
    present = [value for value in values if value is not None]
    summary: dict[str, float] = {}
    if feature.type == "categorical":
        labels = list(feature.categories)
        places = {label: place for place, label in enumerate(labels)}
        bin_of = np.array([len(labels) if value is None else places[value] for value in values])
    else:
        numbers = np.array(present, dtype=np.float64)
        edges = bin_edges(numbers, bins)
        labels = range_labels(numbers, edges)
        every = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
        bin_of = np.where(np.isnan(every), len(labels), np.searchsorted(edges, every, side="right"))
        summary = summarize(numbers)
    kept = [*labels, "missing"] if len(present) < len(values) else labels
    rows = np.bincount(bin_of, minlength=len(kept))
    events = np.bincount(bin_of, weights=target, minlength=len(kept)).astype(np.int64)
    weights = weights_of_evidence(rows - events, events)
    value, chance = information_value(rows - events, events), psi_by_chance(rows - events, events, SIGNIFICANCE)
    if feature.type == "categorical":
        column: TableColumn = np.array(values, dtype=object)
    else:
        column = values if isinstance(values, NumberColumn) else NumberColumn([*values])
    alone = strength_of(feature, column, target)
    return Exploration(
        name=feature.name,
        type=feature.type,
        unit=feature.unit,
        description=feature.description,
        protected=feature.protected,
        rows=len(values),
        missing=len(values) - len(present),
        distinct=len(set(present)),
        summary=summary,
        information_value=value,
        value_by_chance=chance,
        strength=strength(value, chance),
        roc_auc=alone.roc_auc,
        purity=alone.purity,
        telling=alone.telling,
        bins=tuple(
            Bin(label, n, k, k / n if n else 0.0, *wilson(k, n), weight)
            for label, n, k, weight in zip(kept, rows.tolist(), events.tolist(), weights.tolist(), strict=True)
        ),
    )


def information_value(others: NDArray[np.int64], events: NDArray[np.int64]) -> float:
    """How well the bins separate events from the rest: `sum((others share - events share) * weight of evidence)`.

    Siddiqi (2006), "Credit Risk Scorecards", chapter 6. It is the population stability index between the two classes.

    >>> round(information_value(np.array([300, 400]), np.array([200, 100])), 3)
    0.232
    """
    return psi(others, events)


def weights_of_evidence(others: NDArray[np.int64], events: NDArray[np.int64]) -> NDArray[np.float64]:
    """`[bins]` `ln(others share / events share)`: above 0 where the event is rarer than on average (Siddiqi, 2006).

    Half a row is added to each bin of each class; a bin without rows has 0.

    >>> weights_of_evidence(np.array([300, 400, 0]), np.array([200, 100, 0])).round(2).tolist()
    [-0.44, 0.54, 0.0]
    """
    filled = (others + events) > 0
    weights = np.zeros(len(filled))
    expected, found = (
        (counts[filled] + HALF_A_ROW) / (counts[filled] + HALF_A_ROW).sum() for counts in (others, events)
    )
    weights[filled] = np.log(expected / found)
    return weights


def wilson(events: int, rows: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson, 1927); 0 to 1 without rows.

    >>> [round(bound, 3) for bound in wilson(0, 20)], [round(bound, 3) for bound in wilson(30, 100)], wilson(0, 0)
    ([0.0, 0.161], [0.219, 0.396], (0.0, 1.0))
    """
    if not rows:
        return 0.0, 1.0
    share, square = events / rows, Z_95 * Z_95
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = Z_95 / (1 + square / rows) * math.sqrt(share * (1 - share) / rows + square / (4 * rows * rows))
    return max(0.0, middle - half), min(1.0, middle + half)


def strength(value: float, chance: float) -> str:
    """Siddiqi's terms for an information value above chance; above 0.5 the column may give the outcome away.

    >>> strength(0.01, 0.005), strength(0.2, 0.005), strength(0.7, 0.005), strength(0.2, 0.3)
    ('none', 'medium', 'suspiciously strong', 'within chance')
    """
    return next(word for bound, word in STRENGTHS if value < bound) if value > chance else "within chance"


def range_labels(numbers: NDArray[np.float64], edges: NDArray[np.float64]) -> list[str]:
    """A label for each bin that `edges` start: its only value, or its smallest and largest.

    >>> range_labels(np.array([1.0, 2, 2, 5, 9.5]), np.array([2.0, 5]))
    ['1', '2', '5 to 9.5']
    """
    if not len(numbers):
        return []
    ordered = np.sort(numbers)
    starts = np.searchsorted(ordered, edges, side="left")
    parts = [(part[0], part[-1]) for part in np.split(ordered, starts)]
    return [f"{low:,.6g}" if low == high else f"{low:,.6g} to {high:,.6g}" for low, high in parts]


def summarize(numbers: NDArray[np.float64]) -> dict[str, float]:
    """Minimum, quartiles, maximum, mean and standard deviation; empty without numbers.

    >>> summarize(np.array([1.0, 2, 3]))["median"], summarize(np.array([]))
    (2.0, {})
    """
    if not len(numbers):
        return {}
    names = ("least", "lower quartile", "median", "upper quartile", "largest")
    quartiles = dict(zip(names, np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))
    mean, deviation = mean_and_deviation(numbers)
    return quartiles | {"mean": mean, "standard deviation": deviation}
