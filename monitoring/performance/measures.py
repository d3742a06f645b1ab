"""Measures of probabilities against outcomes, each outcome certain or a share: exact, and with a closed-form error.

Owns the formulas. Leaves to others: intervals by resampling (sample), which rows (looking).

Outcomes are weights of two classes: `events[i]` of row i with the event and `others[i]` without. With outcomes these
are 0 and 1; before they arrive they are p and 1 - p, and the measures are those expected (sample).
"""

import math

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
ITERATIONS = 30  # of Newton's method, which needs five
LEAST_PROBABILITY = 1e-6  # before odds are taken


def roc_auc(probability: Doubles, events: Doubles, others: Doubles, paired: Doubles | None = None) -> float | None:
    """Return the chance that a row with the event has the higher probability, ties counting half; None for one class.

    Args:
        probability: `[rows]`.
        events: `[rows]`, the weight of each row with the event.
        others: `[rows]`, that without.
        paired: `[rows]`, the chance that a row would be compared with itself, which is left out; None for nought.

    >>> one, zero = np.array([0.0, 0, 1, 1]), np.array([1.0, 1, 0, 0])
    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), one, zero)
    0.75
    """
    order = np.argsort(probability, kind="stable")
    places = np.flatnonzero(np.r_[True, np.diff(probability[order]) > 0])  # where tied rows begin
    high, low = np.add.reduceat(events[order], places), np.add.reduceat(others[order], places)
    below = np.cumsum(low) - low
    won, pairs = float(high @ (below + low / 2)), float(high.sum() * low.sum())
    if paired is not None:
        won, pairs = won - float(paired.sum()) / 2, pairs - float(paired.sum())
    return won / pairs if pairs > 0 else None


def ks(probability: Doubles, events: Doubles, others: Doubles) -> float | None:
    """Return the largest distance between the two cumulative distributions (Kolmogorov-Smirnov); None for one class.

    >>> one, zero = np.array([0.0, 0, 1, 1]), np.array([1.0, 1, 0, 0])
    >>> ks(np.array([0.1, 0.4, 0.35, 0.8]), one, zero)
    0.5
    """
    if not events.sum() or not others.sum():
        return None
    order = np.argsort(probability, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(probability[order]) > 0, True])
    high, low = np.cumsum(events[order])[last], np.cumsum(others[order])[last]
    return float(np.max(np.abs(high / high[-1] - low / low[-1])))


def log_odds(probability: Doubles) -> Doubles:
    """Return the log-odds, finite for every probability."""
    held = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    found: Doubles = np.log(held / (1 - held))
    return found


def calibration_line(probability: Doubles, event: Doubles) -> tuple[Doubles, Doubles] | None:
    """Fit `log-odds of the event = intercept + slope * log-odds of the probability`: (0, 1) where it is calibrated.

    Cox (1958), "Two further applications of a model for binary regression"; by Newton's method, the errors from the
    information.

    Args:
        probability: `[rows]`.
        event: `[rows]`, 1 where it happened.

    Returns:
        intercept and slope, and their standard errors; None where the outcomes do not tell them.
    """
    odds = log_odds(probability)
    design = np.stack([np.ones_like(odds), odds], axis=1)
    line = np.array([0.0, 1.0])
    for _ in range(ITERATIONS):
        predicted = 1 / (1 + np.exp(-np.clip(design @ line, -30, 30)))
        information = (design * (predicted * (1 - predicted))[:, None]).T @ design
        try:
            step = np.linalg.solve(information, design.T @ (event - predicted))
        except np.linalg.LinAlgError:
            return None
        line = line + np.clip(step, -2, 2)
        if np.max(np.abs(step)) < 1e-9:
            covariance = np.linalg.inv(information)
            return line, np.sqrt(np.diag(covariance))
    return None  # separated outcomes have no finite line


def roc_auc_error(area: float, events: float, others: float) -> float:
    """Return the standard error of a ROC AUC of so many rows with and without the event.

    Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating characteristic curve".

    >>> round(roc_auc_error(0.78, 60, 140), 3)
    0.038
    """
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (events - 1) * (q1 - area * area) + (others - 1) * (q2 - area * area)
    return math.sqrt(max(0.0, spread) / (events * others))


def share_interval(part: float, rows: int, z: float) -> tuple[float, float]:
    """Return the interval of a share (Wilson, 1927), which stays within 0 and 1.

    >>> [round(end, 3) for end in share_interval(0.1, 100, 1.96)]
    [0.055, 0.174]
    """
    middle = (part + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * np.sqrt(part * (1 - part) / rows + z * z / (4 * rows * rows))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
