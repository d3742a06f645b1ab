"""What an opponent has to know of a table beside its inputs: what rows count, whose they are, and the event's share."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from models.schema import Schema
from train.customers import folds_by_customer
from train.population import logit_shift, row_weights
from train.tables.table import Table

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def weights_of(training: Table) -> NDArray[np.float64]:
    """What each row counts in a fit, `[rows]`, with a mean of 1."""
    counts = row_weights(training.target, training.weight, None)
    return np.ones(len(training.target)) if counts is None else counts


def inner_folds(training: Table, folds: int) -> list[Fold]:
    """Rows to fit on and rows to be held out, the rows of a customer together."""
    target = training.target
    if not len(training.group):
        return list(StratifiedKFold(folds, shuffle=True, random_state=0).split(target, target))
    fold = folds_by_customer(target, training.group, folds, np.random.default_rng(0))
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(folds)]


def probability(schema: Schema, training: Table, logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """The probability of the event in the population, by logits that hold for the table."""
    shift = logit_shift(training.target, training.weight, schema.dataset.prior)
    return np.asarray(1 / (1 + np.exp(-(logits + shift))), dtype=np.float32)
