"""Rows of one customer stay together: folds and parts that are drawn by customers instead of by rows.

A model that has seen a customer once knows more of the second row than it will know of a stranger: with rows of one
customer on both sides of a split, every figure looks better than it is. Stratified all the same: customers with the
event and those without are drawn apart, the large ones first, so that folds are of like size.
"""

import numpy as np
from numpy.typing import NDArray


def folds_by_customer(
    target: NDArray[np.int64], group: NDArray[np.int64], folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The fold of each row, `[rows]`: all rows of a customer have the same one.

    Args:
        target: `[rows]`, 1 where the event happened.
        group: `[rows]`, equal for the rows of one customer.
        folds: their number.
        rng: draws the customers.

    >>> folds_by_customer(np.array([0, 0, 1, 1]), np.array([7, 7, 5, 9]), 2, np.random.default_rng(0)).tolist()
    [0, 0, 0, 1]
    """
    _, place, rows = np.unique(group, return_inverse=True, return_counts=True)
    events = np.bincount(place, weights=target) > 0
    fold = np.empty(len(rows), dtype=np.int64)
    for with_event in (False, True):
        drawn = rng.permutation(np.flatnonzero(events == with_event))
        ordered = drawn[np.argsort(-rows[drawn], kind="stable")]
        turn = np.arange(len(ordered)) % (2 * folds)  # to and fro, or the first fold had the largest of each turn
        fold[ordered] = np.where(turn < folds, turn, 2 * folds - 1 - turn)
    return fold[place]


def part_of_customers(
    target: NDArray[np.int64], group: NDArray[np.int64], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whether each row is in a part with about `share` of the rows, `[rows]`, of whole customers."""
    _, place, rows = np.unique(group, return_inverse=True, return_counts=True)
    events = np.bincount(place, weights=target) > 0
    chosen = np.zeros(len(rows), dtype=np.bool_)
    for with_event in (False, True):
        drawn = rng.permutation(np.flatnonzero(events == with_event))
        reached = np.cumsum(rows[drawn])
        middle = reached - rows[drawn] / 2
        chosen[drawn] = middle <= share * (reached[-1] if len(reached) else 0)
    return chosen[place]


def of_these(group: NDArray[np.int64], rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows are of customers who have one of `rows`, `[rows]`; with no groups, none but those.

    >>> of_these(np.array([7, 7, 5]), np.array([True, False, False])).tolist()
    [True, True, False]
    """
    return np.isin(group, group[rows]) if len(group) else rows
