"""Calibration: the two scalars that turn the mean logit of the members into a probability.

They are fitted to logits of rows that a member held out (Platt, 1999), so no row is lost to them. But a row is held out
by one member of eight, and what is served is the mean of all eight, from which most of what sets a member apart has
gone: a slope fitted to the one is too small for the other. `of_mean` corrects it in closed form.

Where both classes have normal logits with the same variance v, the slope is the distance of their means over v, and the
intercept the log-odds of the event less the slope at the middle between the means. Of v, the members' own noise s is a
part. A mean over c of M members has v = signal + s / c, a mean over all of them signal + s / M: so the slope grows by
v / (v - s (1 / c - 1 / M)), and the middle stays.
"""

import math

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from train.errors import PipelineError
from train.population import Weights, mean_of

RIDGE_C = 1e6  # inverse strength of a ridge that keeps the calibration finite if the logits separate the classes
MOST_NOISE = 0.5  # share of the variance that averaging may take away, so that the slope at most doubles


def calibrate(logits: NDArray[np.float64], target: NDArray[np.int64], weights: Weights = None) -> tuple[float, float]:
    """Slope and intercept of `sigmoid(slope * logit + intercept)` by maximum likelihood (Platt, 1999).

    `weights` `[rows]` say what a row counts; without them all count alike.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=20000)
    >>> happened = (rng.random(20000) < 1 / (1 + np.exp(-2 * logits - 1))).astype(int)
    >>> [round(value, 1) for value in calibrate(logits, happened)]
    [2.0, 1.0]
    """
    scale = float(logits.std()) or 1.0  # the solver expects inputs near one; those of an overfitted network are not
    model = LogisticRegression(C=RIDGE_C, tol=1e-8, max_iter=1000).fit(logits[:, None] / scale, target, weights)
    slope, intercept = float(model.coef_[0, 0]) / scale, float(model.intercept_[0])
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise PipelineError("the calibration did not converge; the held-out logits are degenerate")
    return slope, intercept


def rising(logits: NDArray[np.float64], target: NDArray[np.int64], weights: Weights = None) -> tuple[float, float]:
    """`calibrate` for what is served: where held-out logits rank the wrong way, everyone has the base rate.

    A slope below zero would turn the model around, on no other ground than the noise of the held-out rows.

    >>> rising(np.array([2.0, 1.0, -1.0, -2.0]), np.array([0, 0, 1, 1]))
    (0.0, 0.0)
    """
    slope, intercept = calibrate(logits, target, weights)
    if slope > 0:
        return slope, intercept
    events = mean_of(target, weights)
    return 0.0, math.log(events / (1 - events))


def of_mean(
    logits: NDArray[np.float64], held_out: NDArray[np.bool_], target: NDArray[np.int64], weights: Weights = None
) -> tuple[float, float]:
    """Slope and intercept for the mean logit of all members.

    Args:
        logits: `[members, rows]`.
        held_out: `[members, rows]`, true where a member did not see the row in training.
        target: `[rows]`.
        weights: `[rows]`, what a row counts; None where all count alike.
    """
    rows = held_out.any(axis=0)
    mean, outcome = held_out_logits(logits, held_out), target[rows]
    counts = None if weights is None else weights[rows]
    slope, intercept = rising(mean, outcome, counts)
    share = averaging_gain(logits[:, rows], held_out[:, rows], mean, outcome)
    steeper = slope / (1 - share)
    of_class = [mean_of(mean[outcome == one], None if counts is None else counts[outcome == one]) for one in (1, 0)]
    middle = (of_class[0] + of_class[1]) / 2
    return steeper, intercept - (steeper - slope) * middle


def averaging_gain(
    logits: NDArray[np.float64], held_out: NDArray[np.bool_], mean: NDArray[np.float64], target: NDArray[np.int64]
) -> float:
    """The share of the variance within a class of `mean`, the held-out logits, that the mean of all members lacks.

    The noise of a member is the variance between the members that saw a row; where they are fewer than two there is no
    telling, and 0 is returned.
    """
    seen = len(logits) - held_out.sum(axis=0)  # members, `[rows]`
    if seen.min() < 2:
        return 0.0
    middle = np.where(held_out, 0.0, logits).sum(axis=0) / seen
    noise = float((np.where(held_out, 0.0, logits - middle) ** 2).sum(axis=0) @ (1 / (seen - 1)) / len(seen))
    averaged = float((1 / held_out.sum(axis=0)).mean() - 1 / len(logits))
    centred = mean - np.where(target == 1, mean[target == 1].mean(), mean[target == 0].mean())
    within = float(centred @ centred) / len(centred)
    return min(noise * averaged / within, MOST_NOISE) if within > 0 else 0.0


def held_out_logits(logits: NDArray[np.float64], held_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean logit of each row over the members that held it out, `[rows held out]`."""
    counts = held_out.sum(axis=0)
    mean: NDArray[np.float64] = np.where(held_out, logits, 0.0).sum(axis=0)[counts > 0] / counts[counts > 0]
    return mean
