"""Whether the outcomes of a table are those of the population that it should be about.

Three things go wrong unseen. In a delivery the outcome was coded otherwise: its rate has moved against the rows that
the champion was trained on. Rows are so young that nothing can have happened yet: the newest vintage looks better than
any before. Rows were drawn by outcome. Owns the rates and what is said of them, and leaves the spelling of outcomes to
`train.outcomes`.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from configs.checks import Checks
from configs.dataset import Dataset
from train.checks.expectations import CHECKS_FILE, Finding
from train.checks.exploration import wilson
from train.population import event_share
from train.tables.table import Table
from train.vintages import vintages_of

VINTAGES = "vintages"  # the name of the check


@dataclass(frozen=True)
class Rate:
    """The share of the event among some rows, and how far chance alone reaches."""

    name: str
    rows: int
    events: int
    rate: float
    rate_low: float  # 95% interval
    rate_high: float


@dataclass(frozen=True)
class Before:
    """The rows that the champion was trained on.

    Attributes:
        rate: the share of the event.
        rows: their number.
    """

    rate: float
    rows: int


def rates_by_vintage(table: Table) -> tuple[Rate, ...]:
    """The event rate of each vintage, the oldest first; none without dates."""
    if not len(table.time):
        return ()
    names, place = vintages_of(table.time)
    rows, events = np.bincount(place), np.bincount(place, weights=table.target).astype(np.int64)
    return tuple(
        Rate(name, n, k, k / n, *wilson(k, n)) for name, n, k in zip(names, rows.tolist(), events.tolist(), strict=True)
    )


def examine_vintages(dataset: Dataset, table: Table, checks: Checks, rates: tuple[Rate, ...]) -> list[Finding]:
    """What is wrong with the ages of the rows: those left out, and a newest vintage unlike those before."""
    column, days = dataset.source.time, dataset.target.mature_after_days
    found = []
    if table.young:
        rows = len(table.target) + table.young
        message = f"{table.young:,} of {rows:,} rows are younger than {days:,} days and are left out"
        found.append(Finding(VINTAGES, False, f"column {column!r}: {message} (target.mature_after_days)", column))
    if len(rates) < 2:
        return found
    newest, older = rates[-1], rates[:-1]
    rows, events = sum(rate.rows for rate in older), sum(rate.events for rate in older)
    ratio = moved((newest.events, newest.rows), (events, rows), checks.significance)
    if max(ratio, 1 / ratio) <= checks.rate_warn:
        return found
    said = (
        f"column {column!r}: {newest.rate:.1%} of the newest rows ({newest.name}) have the event, {events / rows:.1%} "
    )
    said += "of those before"
    young = ratio < 1 and not days
    if young:
        said += "; where they are too young for it to have happened, set target.mature_after_days"
    if young and 1 / ratio > checks.rate_stop:
        return [*found, Finding(VINTAGES, True, f"{said}, or raise rate_stop in {CHECKS_FILE}", column)]
    return [*found, Finding(VINTAGES, False, said, column)]


def examine_rate(dataset: Dataset, table: Table, checks: Checks, before: Before | None) -> list[Finding]:
    """What is wrong with the event rate, against that of the rows that the champion was trained on."""
    if before is None:
        return []
    rows, share = len(table.target), event_share(table.target, table.weight)
    ratio = moved((share * rows, rows), (before.rate * before.rows, before.rows), checks.significance)
    further = max(ratio, 1 / ratio)
    if further <= checks.rate_warn:
        return []
    stops = further > checks.rate_stop and dataset.prior is None
    message = (
        f"column {dataset.target.column!r}: {share:.1%} of the rows have the event {dataset.target.event!r}, "
        f"{before.rate:.1%} of those that the champion was trained on"
    )
    if stops:
        message += (
            "; look for another coding of the outcomes or for rows drawn by outcome (set prior), or raise rate_stop in "
            f"{CHECKS_FILE}"
        )
    return [Finding("drift", stops, message, dataset.target.column)]


def moved(one: tuple[float, int], other: tuple[float, int], significance: float) -> float:
    """The ratio of the odds of the event, of which each side has events and rows; 1 where chance explains it.

    Half a row of either outcome is added to each side, so that it is finite (Haldane, 1956); the test is that of two
    shares, pooled.

    >>> round(moved((150, 1000), (300, 1000), 0.001), 2), moved((15, 100), (25, 100), 0.001)
    (0.41, 1.0)
    """
    (events, rows), (events_before, rows_before) = one, other
    pooled = (events + events_before) / (rows + rows_before)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / rows_before))
    far = NormalDist().inv_cdf(1 - significance / 2)
    if abs(events / rows - events_before / rows_before) <= far * spread:
        return 1.0
    odds = [(k + 0.5) / (n - k + 0.5) for k, n in (one, other)]
    return odds[0] / odds[1]
