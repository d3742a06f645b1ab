"""How much a column tells of the group of an applicant: Cramér's V, corrected for its bias (Bergsma, 2013).

"A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42 (3). Without the
correction, a column of many categories seems to tell of a group by chance.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTS = 5  # of a number, of equal size


def association(member: NDArray[np.object_], column: NDArray[Any]) -> float:
    """From 0, nothing, to 1: group and column tell of each other; rows in no group, the empty text, are left out.

    >>> member = np.array(["a", "b"] * 50, dtype=object)
    >>> association(member, member), association(member, np.arange(100.0) // 50)
    (1.0, 0.0)
    """
    known = member != ""
    groups, parts = _codes(member[known]), _codes(_parts(column[known]))
    counts = np.zeros((int(groups.max(initial=0)) + 1, int(parts.max(initial=0)) + 1))
    np.add.at(counts, (groups, parts), 1)
    rows, (one, other) = counts.sum(), counts.shape
    if min(one, other) < 2 or rows < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / rows
    phi = float(((counts - expected) ** 2 / expected).sum() / rows)
    corrected = max(0.0, phi - (one - 1) * (other - 1) / (rows - 1))
    sides = [side - (side - 1) ** 2 / (rows - 1) for side in (one, other)]
    if min(sides) <= 1:  # as many parts as rows
        return 0.0
    return round(min(1.0, float(np.sqrt(corrected / (min(sides) - 1)))), 6)


def _parts(column: NDArray[Any]) -> NDArray[Any]:
    """Numbers as fifths, with a part of its own for missing ones; text as it is."""
    if column.dtype == np.object_:
        return np.array(["" if value is None else value for value in column], dtype=object)
    known = column[~np.isnan(column)]
    if not len(known):
        return np.zeros(len(column))
    edges = np.unique(np.quantile(known, np.arange(1, PARTS) / PARTS))
    return np.where(np.isnan(column), -1, np.searchsorted(edges, column, side="left"))


def _codes(values: NDArray[Any]) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return codes
