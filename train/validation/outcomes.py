"""Held-out probabilities against outcomes: by decile, at the threshold, and by segment.

Owns deciles and zones. Leaves the figures of a group to `train.validation.segments`. Deciles have their lift, the share
of events over that in all rows, and the share of events found so far: what is read off a gains table (Siddiqi, 2006,
"Credit Risk Scorecards").
"""

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from train.evaluation.proportion import proportion
from train.tables.table import Table
from train.validation.results import Decile, Outcomes, Zone
from train.validation.segments import groupings, performance

DECILES = 10
LEAST_ROWS = 20  # in a decile; a smaller table is divided into fewer
NEAR = 1.5  # times the odds at the threshold, or a part of them
DIGITS = 6  # of a probability, by which rows are ordered: the last bits may be another processor's


def outcomes_of(
    dataset: Dataset, table: Table, probability: NDArray[np.float64], least_rows: int, confidence: float
) -> Outcomes:
    """The figures of a table by probabilities `[rows]` of models that did not see the row.

    Args:
        dataset: the dataset file.
        table: the rows.
        probability: of the event.
        least_rows: of a group that is shown.
        confidence: of the intervals.
    """
    segments = [
        segment
        for name, member in groupings(dataset, table)
        for segment in performance(
            name, member, table.target, probability, dataset.threshold, dataset.costs, least_rows, confidence
        )
    ]
    return Outcomes(
        deciles(table.target, probability, confidence),
        zones(table.target, probability, dataset.threshold, confidence),
        segments,
    )


def deciles(target: NDArray[np.int64], probability: NDArray[np.float64], confidence: float) -> list[Decile]:
    """Ten parts of equal size, the riskiest first, of `[rows]`; rows of equal probability keep their order.

    >>> found = deciles(np.array([1, 0] * 20), np.linspace(0.9, 0.1, 40), 0.9)
    >>> [(part.rows, part.observed.value, part.lift, part.found) for part in found]
    [(20, 0.5, 1.0, 0.5), (20, 0.5, 1.0, 1.0)]
    """
    order = np.argsort(-np.round(probability, DIGITS), kind="stable")
    parts = np.array_split(order, max(1, min(DECILES, len(order) // LEAST_ROWS)))
    share, events = float(target.mean()), np.cumsum([int(target[part].sum()) for part in parts])
    found = []
    for place, part in enumerate(parts):
        here = int(target[part].sum())
        observed = proportion(here, len(part), confidence)
        found.append(
            Decile(
                lowest=float(probability[part].min()),
                highest=float(probability[part].max()),
                rows=len(part),
                events=here,
                predicted=float(probability[part].mean()),
                observed=observed,
                lift=observed.value / share,
                found=float(events[place] / events[-1]),
            )
        )
    return found


def zones(
    target: NDArray[np.int64], probability: NDArray[np.float64], threshold: float, confidence: float
) -> list[Zone]:
    """The rows approved, those declined, and those whose odds are within `NEAR` times of the threshold's.

    >>> [(zone.name, zone.rows) for zone in zones(np.array([0, 0, 1]), np.array([0.1, 0.19, 0.9]), 0.2, 0.9)]
    [('approved', 2), ('near the threshold', 1), ('declined', 1)]
    """
    odds = threshold / (1 - threshold)
    low, high = (odds * factor / (1 + odds * factor) for factor in (1 / NEAR, NEAR))
    chosen = {
        "approved": probability < threshold,
        "near the threshold": (probability >= low) & (probability <= high),
        "declined": probability >= threshold,
    }
    found = []
    for name, rows in chosen.items():
        count, events = int(rows.sum()), int(target[rows].sum())
        if count:
            predicted = float(probability[rows].mean())
            found.append(Zone(name, count, events, predicted, proportion(events, count, confidence)))
        else:
            found.append(Zone(name, 0, 0, None, None))
    return found
