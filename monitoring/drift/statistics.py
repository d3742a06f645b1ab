"""Drift statistics: how far a distribution has moved from its reference, and how far it would move by chance.

Owns: PSI, KS, Jensen-Shannon and chi-squared as functions of arrays, and the bins of PSI. Leaves to others: where the
counts come from (distributions, columns), bounds for windows that are looked at again and again (sequential), which
thresholds apply and what follows from them.

Even a sample of the reference itself has PSI and KS above 0, and the more so the smaller it is. Each statistic is
therefore read against the value that chance alone exceeds with a given small probability.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64] | NDArray[np.int64]
HALF_A_ROW = 0.5  # added to every bin, so that an empty bin makes the PSI large but finite


def bin_edges(points: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return the lower edges of bins with about equally many rows, except the first, which is open below.

    Args:
        points: sorted values, or evenly spaced quantiles of them.
        bins: maximum number of bins; a column with no more distinct values gets one bin for each.

    >>> bin_edges(np.arange(100.0), 4).tolist()
    [25.0, 50.0, 75.0]
    >>> bin_edges(np.array([1.0, 1, 2, 4]), 10).tolist()  # 1, 2 and 4 in a bin each
    [2.0, 4.0]
    >>> bin_edges(np.array([0.0] * 97 + [1, 2, 3]), 2).tolist()  # nearly constant: the common value and the rest
    [1.0]
    """
    distinct = np.unique(points)
    if len(distinct) <= bins:
        return distinct[1:]
    ordered = np.sort(points)
    edges = np.unique(ordered[(len(ordered) * np.arange(1, bins)) // bins])
    edges = edges[edges > distinct[0]]
    return edges if len(edges) else distinct[1:2]


def psi(reference: Counts, current: Counts) -> float:
    """Return the population stability index of two histograms: `sum((c - r) * ln(c / r))` over the shares of the bins.

    Siddiqi (2006), "Credit Risk Scorecards"; the symmetric divergence of Jeffreys (1946). Adds half a row to each
    bin and leaves out bins that are empty in both.

    Args:
        reference: `[bins]` row counts.
        current: `[bins]` row counts in the same bins.

    >>> round(psi(np.array([500, 500]), np.array([300, 700])), 3)
    0.169
    >>> psi(np.array([8, 0, 8]), np.array([8, 0, 8])), psi(np.array([5]), np.array([7]))
    (0.0, 0.0)
    """
    occupied = (reference + current) > 0
    expected, found = (
        (counts[occupied] + HALF_A_ROW) / (counts[occupied] + HALF_A_ROW).sum() for counts in (reference, current)
    )
    return float(np.sum((found - expected) * np.log(found / expected)))


def psi_by_chance(reference: Counts, current: Counts, significance: float) -> float:
    """Return the PSI that two samples of one distribution exceed with probability `significance`.

    For n and m rows in B bins it is about `(1/n + 1/m) * chi2(B - 1)` (Yurdakul, 2018, "Statistical Properties of
    Population Stability Index"). The quantile of chi2 is approximated after Wilson and Hilferty (1931), at most 10% too
    high.

    >>> even = np.full(10, 20)  # 200 rows against 200: far from 0, although nothing has changed
    >>> round(psi_by_chance(even, even, 0.001), 2), round(psi_by_chance(even * 100, even * 100, 0.001), 4)
    (0.28, 0.0028)
    """
    freedom = int(np.count_nonzero(reference + current)) - 1
    rows, others = float(np.sum(reference)), float(np.sum(current))
    if freedom < 1 or not rows or not others:
        return 0.0
    z = NormalDist().inv_cdf(1 - significance)
    chi2 = freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3
    return (1 / rows + 1 / others) * chi2


def js(reference: Counts, current: Counts) -> float:
    """Return the Jensen-Shannon distance of two histograms: the square root of the divergence in bits, 0 to 1.

    Lin (1991), "Divergence measures based on the Shannon entropy"; Endres and Schindelin (2003) for the root.

    >>> round(js(np.array([500, 500]), np.array([300, 700])), 3), js(np.array([5, 0]), np.array([0, 7]))
    (0.174, 1.0)
    """
    shares = [counts / counts.sum() for counts in (reference, current)]
    middle = (shares[0] + shares[1]) / 2
    bits = sum(float(np.sum(part[part > 0] * np.log2(part[part > 0] / middle[part > 0]))) for part in shares)
    return math.sqrt(max(0.0, bits / 2))


def chi2(reference: Counts, current: Counts) -> float:
    """Return Pearson's (1900) chi-squared statistic of two samples; its freedom is one less than bins have rows.

    >>> round(chi2(np.array([500, 500]), np.array([300, 700])), 2)
    83.33
    """
    both = (reference + current).astype(np.float64)
    occupied, whole = both > 0, both.sum()
    total = 0.0
    for counts in (reference, current):
        expected = both[occupied] * (counts.sum() / whole)
        total += float(np.sum((counts[occupied] - expected) ** 2 / expected))
    return total


def order(reference: Counts, current: Counts) -> tuple[float, float]:
    """Return how often a row of `current` is in a higher bin than one of `reference`, and the score of that.

    Wilcoxon's rank sum on grouped rows: each bin scores the share of the reference below it and half of that in it, its
    ridit (Bross, 1958, "How to use ridit analysis"). The mean of `current` is 0.5 if nothing has changed.

    Args:
        reference: `[bins]` row counts, in the order of the bins.
        current: `[bins]` row counts in the same bins.

    Returns:
        The mean, 0 to 1, and the square of its standard score, about chi2(1) if nothing has changed.

    >>> higher, square = order(np.array([500, 500]), np.array([300, 700]))
    >>> round(higher, 3), round(square, 2)
    (0.6, 83.33)
    """
    shares = reference / reference.sum()
    ridits = np.cumsum(shares) - shares / 2
    both = (reference + current) / (reference.sum() + current.sum())
    variance = float(both @ ridits**2 - (both @ ridits) ** 2) * (1 / reference.sum() + 1 / current.sum())
    higher = float(current @ ridits / current.sum())
    return higher, float((higher - 0.5) ** 2 / variance) if variance > 0 else 0.0


def ks(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """Return the Kolmogorov-Smirnov distance: the largest difference between two cumulative distributions.

    Args:
        reference: `[points]` share of rows up to each point.
        current: `[points]` share of rows up to the same points, which must include the steps of both.

    >>> round(ks(np.array([0.1, 0.5, 1.0]), np.array([0.1, 0.2, 1.0])), 3)
    0.3
    """
    return float(np.max(np.abs(reference - current), initial=0.0))


def ks_by_chance(rows: int, others: int, significance: float) -> float:
    """Return the KS distance that samples of one distribution exceed with probability `significance`, less with ties.

    Smirnov (1948): `sqrt(-ln(significance / 2) / 2 * (1/n + 1/m))`.

    >>> round(ks_by_chance(500, 500, 0.05), 3)
    0.086
    """
    return min(1.0, math.sqrt(-math.log(significance / 2) / 2 * (1 / rows + 1 / others)))
