"""The performance by segment: the same figures for each group of a grouping of the rows.

Owns the figures, and the groupings that a dataset file gives: its audits, and the categories of its columns. Any other
grouping, such as vintages, is an array with the name of each row's group.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from train.evaluate import mean_cost
from train.evaluation.estimate import Estimate
from train.evaluation.fairness import audit_groups, audits_of
from train.evaluation.paired import roc_auc_gain
from train.evaluation.proportion import share_of
from train.population import Weights, mean_of
from train.stakes import Stakes
from train.tables.table import Table
from train.validation.results import Segment

LEAST_OUTCOMES = (
    10  # rows of each outcome for a ROC AUC: with fewer, the closed form of its interval is not to be trusted
)
MISSING = "missing"


def groupings(dataset: Dataset, table: Table) -> Iterator[tuple[str, NDArray[np.object_]]]:
    """The groupings of a dataset file by name, each with the group of every row, empty where it is in none."""
    audits = audits_of(dataset, table)
    for audit in audits:
        yield audit.column, audit_groups(audit, table.columns[audit.column])
    audited = {audit.column for audit in audits}
    for feature in dataset.features:
        if feature.type == "categorical" and feature.name not in audited:
            values = [MISSING if value is None else value for value in table.columns[feature.name]]
            yield feature.name, np.array(values, dtype=object)


def performance(
    grouping: str,
    member: NDArray[np.object_],
    target: NDArray[np.int64],
    probability: NDArray[np.floating],
    stakes: Stakes,
    least_rows: int,
    confidence: float,
    weights: Weights = None,
) -> list[Segment]:
    """The figures of each group with enough rows, by name.

    Args:
        grouping: what the groups are groups of, such as the name of a column, or `vintage`.
        member: the group of each row, `[rows]`; empty for a row that is in none.
        target: `[rows]`, 1 where the event happened.
        probability: `[rows]`, of the event.
        stakes: costs and decisions of the rows.
        least_rows: of a group; a smaller one is left out.
        confidence: of the intervals.
        weights: `[rows]`, what a row counts; None where all count alike.
    """
    found = []
    for name in sorted(set(member) - {""}):
        rows = member == name
        count, events = int(rows.sum()), int(target[rows].sum())
        if count < least_rows:
            continue
        own, theirs = None if weights is None else weights[rows], stakes.rows(rows)
        found.append(
            Segment(
                grouping=grouping,
                name=str(name),
                rows=count,
                events=events,
                approved=1 - mean_of(theirs.not_approved(probability[rows]), own),
                predicted=mean_of(probability[rows].astype(np.float64), own),
                observed=share_of(target[rows], own, confidence),
                roc_auc=_roc_auc(target[rows], probability[rows], confidence, own),
                cost=mean_cost(target[rows], theirs.declined(probability[rows]), theirs, own),
            )
        )
    return found


def _roc_auc(
    target: NDArray[np.int64], probability: NDArray[np.floating], confidence: float, weights: Weights
) -> Estimate | None:
    """By the closed form for two scores, of which the other tells nothing and has an area of one half."""
    events = int(target.sum())
    if min(events, len(target) - events) < LEAST_OUTCOMES:
        return None
    gain = roc_auc_gain(target, probability, np.zeros(len(target)), confidence, weights)
    return Estimate(gain.value + 0.5, max(0.0, gain.low + 0.5), min(1.0, gain.high + 0.5))
