"""Optimal bins of one column: consecutive classes whose event rate rises, or falls, from bin to bin.

After Navas-Palencia (2020, "Optimal binning: mathematical programming formulation", arXiv:2001.08025): of all ways to
join small classes into bins, the one with the highest information value, under the constraints that each bin has enough
rows and that the event rate is monotone. He solves an integer program; with one order and so few classes dynamic
programming is exact too, and takes a millisecond.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 0.5  # of a row, added to both outcomes of a bin, so that a bin with one of them has a finite weight


class Bins(NamedTuple):
    """How classes are joined.

    Attributes:
        starts: the first class of each bin, ascending; the first is 0.
        woe: `[bins]`, weight of evidence: log-odds of the event in the bin less those of the table.
    """

    starts: list[int]
    woe: NDArray[np.float64]


def optimal_bins(events: NDArray[Any], others: NDArray[Any], most: int, least_rows: float, direction: int) -> Bins:
    """Join classes, given in order, into at most `most` bins.

    Args:
        events: `[classes]`, what the rows with the event count.
        others: `[classes]`, the same of rows without it.
        most: bins.
        least_rows: of a bin; where the whole table has fewer, it is one bin.
        direction: 1 where the event rate has to rise, -1 where it has to fall, 0 for the better of both.

    >>> optimal_bins(np.array([1, 2, 9, 8]), np.array([9, 8, 1, 2]), most=3, least_rows=5, direction=0).starts
    [0, 2]
    >>> optimal_bins(np.array([1, 2, 9, 8]), np.array([9, 8, 1, 2]), most=3, least_rows=5, direction=-1).starts
    [0]
    """
    totals = np.array([np.concatenate([[0], np.cumsum(each)]) for each in (events, others)], dtype=np.float64)
    inside = totals[:, None, :] - totals[:, :, None]  # [outcome, first class, class after the last]
    enough = np.triu(inside.sum(axis=0) >= least_rows, 1)
    smooth = np.where(enough, inside + SMOOTHING, 1.0)
    shares = smooth / (totals[:, -1] + SMOOTHING)[:, None, None]
    woe = np.log(shares[0] / shares[1])
    value = np.where(enough, (shares[0] - shares[1]) * woe, -np.inf)
    found = [_best(value, way * woe, most) for way in ((1, -1) if direction == 0 else (direction,))]
    starts = max(found, key=lambda one: one[0])[1] or [0]
    ends = [*starts[1:], len(events)]
    pairs = totals[:, ends] - totals[:, starts] + SMOOTHING
    known = pairs / (totals[:, -1:] + SMOOTHING)
    return Bins(starts, np.log(known[0] / known[1]) if len(starts) > 1 else np.zeros(1))


def _best(value: NDArray[np.float64], rate: NDArray[np.float64], most: int) -> tuple[float, list[int]]:
    """The highest sum of values along bins whose rate never falls, and their first classes; none without a bin.

    `value` and `rate` are `[first class, class after the last]`.
    """
    classes = len(value) - 1
    best = np.where(np.arange(classes + 1)[:, None] == 0, value, -np.inf)  # of paths that end with this bin
    paths = [best]
    before: list[NDArray[np.int64]] = []
    for _ in range(min(most, classes) - 1):
        longer, origin = np.full_like(best, -np.inf), np.zeros(best.shape, dtype=np.int64)
        for start in range(1, classes):
            allowed = rate[:start, start][:, None] <= rate[start, start + 1 :][None, :]
            options = np.where(allowed, paths[-1][:start, start][:, None], -np.inf)
            origin[start, start + 1 :] = options.argmax(axis=0)
            longer[start, start + 1 :] = options.max(axis=0) + value[start, start + 1 :]
        paths.append(longer)
        before.append(origin)
    ends = [float(path[:, classes].max()) for path in paths]
    bins = int(np.argmax(ends))
    if ends[bins] == -np.inf:
        return -np.inf, []
    starts, end = [int(paths[bins][:, classes].argmax())], classes
    for origin in reversed(before[:bins]):
        starts, end = [int(origin[starts[0], end]), *starts], starts[0]
    return ends[bins], starts
