"""Two figures that are computed a thousand times, for intervals: the same as scikit-learn's, without its checks.

`sklearn.metrics.roc_auc_score` and `LogisticRegression` take some 3 ms a call for a thousand rows, most of it to look
at their arguments. `tests/train/evaluation/test_resampling.py` holds both equal to scikit-learn's.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

from train.calibration import calibrate
from train.population import Weights, row_weights

STEPS = 20  # of Newton's method, which takes five or six from a start nearby
CLOSE = 1e-10  # a step that small, relative to the slope, ends it


def roc_auc(target: NDArray[np.int64], score: NDArray[np.floating], weights: Weights = None) -> float:
    """The area under the ROC curve: the share of pairs that are ordered right, ties half (Mann and Whitney, 1947).

    By `weights` `[rows]`, a pair counts what its rows do, multiplied.

    >>> roc_auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875
    """
    if weights is not None:
        _, place = np.unique(score, return_inverse=True)
        of_events = np.bincount(place, weights=weights * target)
        others = np.bincount(place, weights=weights * (1 - target))
        right = of_events @ (np.cumsum(others) - others / 2)
        return float(right / (of_events.sum() * others.sum()))
    events = int(target.sum())
    ranks = float(rankdata(score)[target == 1].sum())
    return (ranks - events * (events + 1) / 2) / (events * (len(target) - events))


def calibration_slope(
    target: NDArray[np.int64], logits: NDArray[np.float64], near: float, weights: Weights = None
) -> float:
    """The slope of `calibrate`, by Newton's method from a slope that is near; by `calibrate` where that finds none.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=500)
    >>> happened = (rng.random(500) < expit(2 * logits - 1)).astype(int)
    >>> abs(calibration_slope(happened, logits, 1.5) - calibrate(logits, happened)[0]) < 1e-5
    True
    """
    slope, intercept = near, 0.0
    for _ in range(STEPS):
        probability = expit(slope * logits + intercept)
        weight = probability * (1 - probability)
        if weights is not None:
            weight = weight * weights
        weighted = weight * logits
        total, first, second = weight.sum(), weighted.sum(), (weighted * logits).sum()
        determinant = total * second - first * first
        if determinant <= 0:
            break
        residual = target - probability if weights is None else (target - probability) * weights
        by_intercept, by_slope = residual.sum(), (residual * logits).sum()
        step = float((total * by_slope - first * by_intercept) / determinant)
        slope, intercept = slope + step, intercept + float((second * by_intercept - first * by_slope) / determinant)
        if abs(step) <= CLOSE * abs(slope):
            return slope
    return calibrate(logits, target, weights)[0]


def resampled_cells(
    cell: NDArray[np.int64],
    cells: int,
    weights: Weights,
    resamples: int,
    rng: np.random.Generator,
    group: NDArray[np.int64],
) -> NDArray[np.float64]:
    """What the rows in each of some cells count together, over resamples of the rows: `[resamples, cells]`.

    A resample is a draw of how many of its rows lie in each cell, and of their mean weight there, which is normal; so
    it takes no longer for a million rows. Rows of customers are not independent, and customers are drawn instead.

    Args:
        cell: the cell of each row, `[rows]`, from 0.
        cells: their number.
        weights: `[rows]`, what a row counts; None where all count alike.
        resamples: how many to draw.
        rng: draws them.
        group: `[rows]`, equal for the rows of one customer; empty where rows are independent.
    """
    if len(group):
        of_customer = np.unique(group, return_inverse=True)[1]
        customers = int(of_customer.max()) + 1
        counts = np.ones(len(cell)) if weights is None else weights
        each = np.bincount(of_customer * cells + cell, weights=counts, minlength=customers * cells)
        each = each.reshape(customers, cells)
        found = [
            np.bincount(rng.integers(customers, size=customers), minlength=customers) @ each for _ in range(resamples)
        ]
        return np.array(found)
    rows = np.bincount(cell, minlength=cells)
    drawn = rng.multinomial(len(cell), rows / len(cell), size=resamples)
    if weights is None:
        return drawn.astype(np.float64)
    some = np.maximum(rows, 1)
    mean = np.bincount(cell, weights=weights, minlength=cells) / some
    square = np.bincount(cell, weights=(weights - mean[cell]) ** 2, minlength=cells) / some
    noise = rng.standard_normal(drawn.shape) * np.sqrt(drawn * square)
    counted: NDArray[np.float64] = np.maximum(drawn * mean + noise, 0.0)
    return counted


def resamples_of(
    target: NDArray[np.int64],
    weight: NDArray[np.float64],
    group: NDArray[np.int64],
    prior: float | None,
    resamples: int,
) -> Iterator[tuple[NDArray[np.int64], Weights]]:
    """Resamples with some of both outcomes: the numbers of their rows, and what each of these counts.

    Customers are drawn where `group` `[rows]` has any, otherwise rows. The event has the share `prior` in each.
    """
    rng, rows = np.random.default_rng(0), len(target)
    of_customer = np.unique(group, return_inverse=True)[1] if len(group) else np.arange(rows)
    ordered = np.argsort(of_customer, kind="stable")
    sizes = np.bincount(of_customer)
    starts = np.cumsum(sizes) - sizes
    for _ in range(resamples):
        drawn = rng.integers(len(sizes), size=len(sizes))
        if len(group):
            lengths = sizes[drawn]
            first = np.repeat(starts[drawn] - (np.cumsum(lengths) - lengths), lengths)
            drawn = ordered[first + np.arange(len(first))]
        outcome = target[drawn]
        if 0 < outcome.sum() < len(drawn):
            yield drawn, row_weights(outcome, weight[drawn] if len(weight) else weight, prior)
