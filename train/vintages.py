"""Vintages: the months, quarters or years in which rows were applied for.

Owns their names, and which of the three a table is divided into. Leaves what is told of each to
`train.checks.population`, and how its performance is found to `train.evaluation.vintages`.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

MOST = 24  # vintages of a page: two years of months, six of quarters


class Vintage(Struct, frozen=True):
    """One vintage of rows that the model had not learned from.

    Attributes:
        name: such as 2024-03, 2024-Q1 or 2024.
        part: `folds`, of the walk forward, or `test`.
        rows: their number.
        events: among them.
        observed: the share of the event, of the population where the rows stand for one.
        observed_low, observed_high: its 90% interval.
        expected: the mean probability, likewise.
        roc_auc: null with too few rows of either outcome.
        psi: of the probabilities, against those of the whole walk forward.
    """

    name: str
    part: str
    rows: int
    events: int
    observed: float
    observed_low: float
    observed_high: float
    expected: float
    roc_auc: float | None
    psi: float


def vintages_of(days: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """The names of the vintages that there are, in order, and for each row the place of its own, `[rows]`.

    Months, if there are few enough of them, otherwise quarters, otherwise years.

    >>> vintages_of(np.array([0, 40, 31]))
    (['1970-01', '1970-02'], array([0, 1, 1]))
    """
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)  # from 1970-01
    for length in (1, 3, 12):
        known, place = np.unique(months // length, return_inverse=True)
        if len(known) <= MOST:
            break
    return [_name(int(one), length) for one in known], place


def _name(number: int, months: int) -> str:
    year, part = 1970 + number * months // 12, number * months % 12
    return {1: f"{year}-{part + 1:02}", 3: f"{year}-Q{part // 3 + 1}"}.get(months, f"{year}")
