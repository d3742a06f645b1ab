"""Approval ratios over the same resampled rows, and the options that no other one beats.

Owns both figures. A frontier is a Pareto set: of the options near the best in cost, those of which no other has a cost
as low and ratios as high, and one of them better. Of several with the same figures, the first is on it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.evaluation.paired import NO_GROUPS
from train.population import Weights

CHUNK = 100  # resamples at a time
NOBODY = 1e-12  # an approval rate by which a ratio may be divided


def judged(member: NDArray[np.object_], least_rows: int) -> list[NDArray[np.bool_]]:
    """The rows of each group that has enough of them, `[rows]` each."""
    groups = [member == name for name in sorted(set(member) - {""})]
    return [rows for rows in groups if rows.sum() >= least_rows]


def resampled_ratios(
    member: NDArray[np.object_],
    approved: NDArray[np.bool_],
    least_rows: int,
    bootstrap: int,
    weights: Weights = None,
    customers: NDArray[np.int64] = NO_GROUPS,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest over highest approval rate, `[options]`, and over resamples within groups, `[bootstrap, options]`.

    Args:
        member: the group of each row, `[rows]`; empty for a row that is in none.
        approved: `[options, rows]`.
        least_rows: of a group; a smaller one is left out, and at least one has to be left.
        bootstrap: number of resamples, the same rows for every option.
        weights: `[rows]`, what a row counts; None where all count alike.
        customers: `[rows]`, equal for rows of one customer, drawn together; empty where rows are independent.
    """
    groups = judged(member, least_rows)
    rng = np.random.default_rng(0)
    rates, drawn = [], []
    for rows in groups:
        of_group = approved[:, rows].astype(np.float64).T  # rows, options
        own = np.ones(len(of_group)) if weights is None else weights[rows]
        unit = np.unique(customers[rows], return_inverse=True)[1] if len(customers) else np.arange(len(of_group))
        units = int(unit.max()) + 1
        rates.append(own @ of_group / own.sum())
        parts = []
        for start in range(0, bootstrap, CHUNK):
            counts = rng.multinomial(units, np.full(units, 1 / units), min(CHUNK, bootstrap - start))[:, unit] * own
            parts.append(counts @ of_group / counts.sum(axis=1, keepdims=True))
        drawn.append(np.concatenate(parts))
    return _ratio(np.array(rates)), _ratio(np.array(drawn))


def _ratio(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lowest over highest along the first axis; 0 where nobody is approved."""
    ratio: NDArray[np.float64] = rates.min(axis=0) / np.maximum(rates.max(axis=0), NOBODY)
    return ratio


def most_cost(costs: Sequence[float], within: float) -> float:
    """The cost up to which an option is near the best; what costs no more than the first, the model as it is, is too.

    >>> most_cost([2.0, 1.0], 0.05), most_cost([1.0, 1.5], 0.05)
    (2.0, 1.05)
    """
    return max(min(costs) * (1 + within), costs[0])


def frontier(costs: Sequence[float], ratios: Sequence[Sequence[float]], within: float) -> list[bool]:
    """Which options are on the frontier.

    Args:
        costs: of each option, first the model as it is.
        ratios: of each option, one for each audit.
        within: an option is near the best if it costs at most this share more than the cheapest.

    >>> frontier([1.0, 1.02, 1.03, 1.2], [[0.5], [0.7], [0.6], [0.9]], 0.05)
    [True, True, False, False]
    """
    worth = np.column_stack([-np.array(costs), np.array(ratios).reshape(len(costs), -1)])
    near = np.array(costs) <= most_cost(costs, within)
    found = []
    for place, own in enumerate(worth):
        as_good = near & (worth >= own).all(axis=1)
        beaten = (as_good & (worth > own).any(axis=1)).any() or as_good[:place].any()
        found.append(bool(near[place] and not beaten))
    return found
