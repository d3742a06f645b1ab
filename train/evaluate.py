"""Stage evaluate: metrics of the model on rows that it has not seen.

Formulas: Gini is `2 AUC - 1`; KS the largest distance between the score distributions of the two classes;
the calibration slope and intercept are those of a logistic regression of the outcome on the logit (Cox, 1958).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from train.calibration import calibrate
from train.evaluation.results import Metrics
from train.population import Weights, mean_of
from train.stakes import Stakes

MIN_PROBABILITY = 1e-7  # probabilities are clipped this far from 0 and 1 before a logarithm


def evaluate(
    target: NDArray[np.int64], probability: NDArray[np.float32], stakes: Stakes, weights: Weights = None
) -> Metrics:
    """Evaluate `probability` `[rows]` of the event against `target` `[rows]`; `weights` `[rows]`: what a row counts."""
    score = probability.astype(np.float64)
    declined = stakes.declined(score)
    counts = {"sample_weight": weights}
    auc = float(metrics.roc_auc_score(target, score, **counts))
    false_positive, true_positive, _ = metrics.roc_curve(target, score, **counts)
    slope, intercept = calibrate(logit(score), target, weights)
    return Metrics(
        rows=len(target),
        roc_auc=auc,
        gini=2 * auc - 1,
        ks=float((true_positive - false_positive).max()),
        accuracy=float(metrics.accuracy_score(target, declined, **counts)),
        precision=float(metrics.precision_score(target, declined, zero_division=0, **counts)),
        recall=float(metrics.recall_score(target, declined, **counts)),
        f1=float(metrics.f1_score(target, declined, **counts)),
        brier=float(metrics.brier_score_loss(target, score, **counts)),
        log_loss=float(metrics.log_loss(target, np.clip(score, MIN_PROBABILITY, 1 - MIN_PROBABILITY), **counts)),
        cost=mean_cost(target, declined, stakes, weights),
        cost_of_declining_all=mean_cost(target, np.ones_like(declined), stakes, weights),
        cost_of_approving_all=mean_cost(target, np.zeros_like(declined), stakes, weights),
        calibration_slope=slope,
        calibration_intercept=intercept,
    )


def logit(probability: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Log-odds, finite even for 0 and 1; same shape.

    >>> logit(np.array([0.5, 1.0])).round(2).tolist()
    [0.0, 16.12]
    """
    clipped = np.clip(probability.astype(np.float64), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    odds: NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return odds


def mean_cost(target: NDArray[np.int64], declined: NDArray[np.bool_], stakes: Stakes, weights: Weights = None) -> float:
    """Cost per row: an approved event costs `missed_event`, a declined applicant without the event `false_alarm`.

    >>> stakes = Stakes(missed_event=5, false_alarm=1, threshold=1 / 6)
    >>> mean_cost(np.array([1, 1, 0, 0]), np.array([True, False, True, False]), stakes)
    1.5
    """
    missed = (target == 1) & ~declined
    false_alarm = (target == 0) & declined
    return mean_of(stakes.missed_event * missed, weights) + mean_of(stakes.false_alarm * false_alarm, weights)
