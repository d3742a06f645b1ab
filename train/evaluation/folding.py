"""The folds of a table: which rows a candidate learns from, and which it is measured on.

Stratified and repeated where the dataset file says no more; whole customers with `source.group`. With `source.time` the
folds walk forward: a candidate learns from the older half and is measured on what comes next, then learns from that
too, and so on. It is never measured on rows older than those that it has learned from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.customers import folds_by_customer, of_these
from train.errors import PipelineError
from train.evaluation.cross_validation import Fold, folds_of
from train.tables.table import Table

FIRST = 0.5  # share of the rows that the first step learns from
LEAST_OF_EACH = 5  # rows of either outcome in each step: fewer have a ROC AUC of any value
LEAST_STEPS = 2  # or there is no interval


@dataclass(frozen=True)
class Plan:
    """Folds, and how much their training parts overlap.

    Attributes:
        folds: row numbers to learn from and to be measured on.
        a_repeat: rows of all over rows measured on, in the mean: the number of folds where each row is measured once.
    """

    folds: list[Fold]
    a_repeat: float


def plan(table: Table, folds: int, repeats: int, seed: int = 0) -> Plan:
    """The folds of a table, `folds * repeats` at most."""
    if len(table.time):
        steps = walk_forward(table, folds * repeats)
        return Plan(steps, 1 + float(np.mean([len(learn) / len(measure) for learn, measure in steps])))
    if len(table.group):
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(repeats):
            fold = folds_by_customer(table.target, table.group, folds, rng)
            found += [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(folds)]
        if any(not _enough(table.target[measured], 1) for _, measured in found):
            problem = f"the training part has too few customers with and without the event for {folds} folds of them"
            raise PipelineError(f"source.group: {problem}; add rows, or remove source.group")
        return Plan(found, folds)
    return Plan(folds_of(table.target, folds, repeats, seed), folds)


def walk_forward(table: Table, steps: int) -> list[Fold]:
    """At most `steps` folds, each of rows newer than all that it learns from; raises where there are not even two."""
    days, counts = np.unique(table.time, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)[:-1]])  # rows before each day
    wanted = len(table.time) * (FIRST + (1 - FIRST) * np.arange(steps) / steps)
    nearest = np.unique(np.abs(before[None, :] - wanted[:, None]).argmin(axis=1))
    starts = days[nearest[nearest > 0]]
    if len(starts) < LEAST_STEPS:  # few dates, of which one has most rows
        starts = days[1:]
    found: list[Fold] = []
    end = np.inf
    for start in starts[::-1]:  # the newest first
        measured = (table.time >= start) & (table.time < end)
        learned = (table.time < start) & ~of_these(table.group, measured)
        if _enough(table.target[measured]) and _enough(table.target[learned]):
            found.append((np.flatnonzero(learned), np.flatnonzero(measured)))
            end = start  # a step with too little is measured together with the one before it
    if len(found) < LEAST_STEPS:
        raise PipelineError(
            f"source.time: the training part cannot be divided by date into {LEAST_STEPS + 1} stretches with "
            f"{LEAST_OF_EACH} rows of either outcome each; add rows or dates, or remove source.time"
        )
    return found[::-1]


def _enough(target: NDArray[np.int64], least: int = LEAST_OF_EACH) -> bool:
    events = int(target.sum())
    return min(events, len(target) - events) >= least
