"""Logistic regression and a random forest of scikit-learn, which take neither text nor gaps."""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from models.schema import Schema
from train.calibration import rising
from train.evaluate import logit
from train.opponents.inputs import Filled, matrix
from train.opponents.population import inner_folds, probability, weights_of
from train.tables.table import Table

TREES = 500
MOST_ROWS = 50_000  # that a tree is grown on: a forest is no better for more, and slow
FOLDS = 5  # for the scores that calibrate a forest where rows belong together


def logistic_regression(schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """By maximum likelihood with a weak ridge; needs no calibration."""
    rows = matrix(schema, training)
    fill = Filled(rows)
    model = LogisticRegression(max_iter=1000).fit(fill(rows), training.target, weights_of(training))
    return probability(schema, training, model.decision_function(fill(matrix(schema, test))))


def random_forest(schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """Calibrated (Platt, 1999) on its out-of-bag scores; where there are customers, on folds of them.

    Out of the bag of a tree may be another row of a customer who is in it.
    """
    rows, target, weights = matrix(schema, training), training.target, weights_of(training)
    fill, by_row = Filled(rows), not len(training.group)
    inputs = fill(rows)
    model = _forest(len(target), by_row).fit(inputs, target, weights)
    if by_row:
        held_out = model.oob_decision_function_[:, 1]
    else:
        held_out = np.zeros(len(target))
        for fit_on, held in inner_folds(training, FOLDS):
            part = _forest(len(fit_on), by_row).fit(inputs[fit_on], target[fit_on], weights[fit_on])
            held_out[held] = part.predict_proba(inputs[held])[:, 1]
    slope, intercept = rising(logit(held_out), target, weights)
    scores = logit(model.predict_proba(fill(matrix(schema, test)))[:, 1])
    return probability(schema, training, slope * scores + intercept)


def _forest(rows: int, oob_score: bool) -> RandomForestClassifier:
    drawn = MOST_ROWS if rows > MOST_ROWS else None
    return RandomForestClassifier(TREES, max_samples=drawn, oob_score=oob_score, random_state=0)
