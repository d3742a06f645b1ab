"""Held-out probabilities against outcomes: by decile, at the threshold, and by segment.

Owns deciles and zones. Leaves the figures of a group to `train.validation.segments`. Deciles have their lift, the share
of events over that in all rows, and the share of events found so far: what is read off a gains table (Siddiqi, 2006,
"Credit Risk Scorecards").
"""

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from train.evaluation.proportion import share_of
from train.population import Weights, mean_of
from train.stakes import Stakes, stakes_of
from train.tables.table import Table
from train.validation.results import Decile, Outcomes, Zone
from train.validation.segments import groupings, performance

DECILES = 10
LEAST_ROWS = 20  # in a decile; a smaller table is divided into fewer
NEAR = 1.5  # times the odds at the threshold, or a part of them
DIGITS = 6  # of a probability, by which rows are ordered: the last bits may be another processor's


def outcomes_of(
    dataset: Dataset,
    table: Table,
    probability: NDArray[np.float64],
    least_rows: int,
    confidence: float,
    weights: Weights = None,
) -> Outcomes:
    """The figures of a table by probabilities `[rows]` of models that did not see the row.

    Args:
        dataset: the dataset file.
        table: the rows.
        probability: of the event.
        least_rows: of a group that is shown.
        confidence: of the intervals.
        weights: `[rows]`, what a row counts; None where all count alike.
    """
    stakes = stakes_of(dataset, table.arrays)
    segments = [
        segment
        for name, member in groupings(dataset, table)
        for segment in performance(name, member, table.target, probability, stakes, least_rows, confidence, weights)
    ]
    return Outcomes(
        deciles(table.target, probability, confidence, weights),
        zones(table.target, probability, stakes, confidence, weights),
        segments,
    )


def deciles(
    target: NDArray[np.int64], probability: NDArray[np.float64], confidence: float, weights: Weights = None
) -> list[Decile]:
    """Ten parts of as many rows each, the riskiest first, of `[rows]`; rows of equal probability keep their order.

    >>> found = deciles(np.array([1, 0] * 20), np.linspace(0.9, 0.1, 40), 0.9)
    >>> [(part.rows, part.observed.value, part.lift, part.found) for part in found]
    [(20, 0.5, 1.0, 0.5), (20, 0.5, 1.0, 1.0)]
    """
    order = np.argsort(-np.round(probability, DIGITS), kind="stable")
    parts = np.array_split(order, max(1, min(DECILES, len(order) // LEAST_ROWS)))
    share, counts = mean_of(target, weights), target.astype(np.float64) if weights is None else target * weights
    events = np.cumsum([counts[part].sum() for part in parts])
    found = []
    for place, part in enumerate(parts):
        own = None if weights is None else weights[part]
        observed = share_of(target[part], own, confidence)
        found.append(
            Decile(
                lowest=float(probability[part].min()),
                highest=float(probability[part].max()),
                rows=len(part),
                events=int(target[part].sum()),
                predicted=mean_of(probability[part], own),
                observed=observed,
                lift=observed.value / share,
                found=float(events[place] / events[-1]),
            )
        )
    return found


def zones(
    target: NDArray[np.int64],
    probability: NDArray[np.float64],
    stakes: Stakes,
    confidence: float,
    weights: Weights = None,
) -> list[Zone]:
    """The rows approved, near the threshold (with odds within `NEAR` times of its), declined, and referred, if any are.

    >>> found = zones(np.array([0, 0, 1]), np.array([0.1, 0.19, 0.9]), Stakes(4, 1, threshold=0.2), 0.9)
    >>> [(zone.name, zone.rows) for zone in found]
    [('approved', 2), ('near the threshold', 1), ('declined', 1)]
    """
    odds = stakes.threshold / (1 - stakes.threshold)
    low, high = (odds * factor / (1 + odds * factor) for factor in (1 / NEAR, NEAR))
    chosen = {
        "approved": ~stakes.not_approved(probability),
        "near the threshold": (probability >= low) & (probability <= high),
        "declined": stakes.declined(probability) & ~stakes.referred(probability),
    }
    if stakes.refer:
        chosen["referred"] = stakes.referred(probability)
    found = []
    for name, rows in chosen.items():
        count, events = int(rows.sum()), int(target[rows].sum())
        if count:
            own = None if weights is None else weights[rows]
            predicted = mean_of(probability[rows], own)
            found.append(Zone(name, count, events, predicted, share_of(target[rows], own, confidence)))
        else:
            found.append(Zone(name, 0, 0, None, None))
    return found
