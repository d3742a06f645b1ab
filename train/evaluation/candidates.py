"""The candidates of a comparison, each a function: networks of model files, and classic models from scikit-learn.

A candidate learns everything from its training rows, including its calibration, and returns the calibrated probability
of the event for the test rows. None takes protected columns as inputs.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from configs.model import ModelConfig, read_model
from models.encoding import Encoder
from models.schema import Schema
from train.calibration import rising
from train.customers import folds_by_customer
from train.evaluate import logit
from train.export import torch_probabilities
from train.fit import fit
from train.population import logit_shift, row_weights
from train.tables.table import Table

Candidate = Callable[[Schema, Table, Table], NDArray[np.float32]]
TREES = 500
BOOSTING_FOLDS = 5  # for the out-of-fold scores that calibrate boosting


def network(config: ModelConfig, schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """The network of a model file."""
    fitted = fit(schema, training, config)
    return torch_probabilities(schema, fitted.network, test.arrays)


def classic(kind: str, schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """`logistic regression`, `random forest` or `gradient boosting` of scikit-learn, calibrated (Platt, 1999).

    A forest is calibrated on its out-of-bag scores, boosting on out-of-fold scores; logistic regression is fitted by
    maximum likelihood and needs no calibration.
    """
    rows, unseen = (np.hstack(Encoder(schema).columns(part.arrays)).astype(np.float64) for part in (training, test))
    categorical = len(schema.categorical)
    middle = np.nanmedian(rows, axis=0)
    rows, unseen = (np.where(np.isnan(part), middle, part) for part in (rows, unseen))
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), slice(0, categorical)), remainder=StandardScaler()
    ).fit(rows)
    rows, unseen, target = encode.transform(rows), encode.transform(unseen), training.target
    weight, shift = (
        row_weights(target, training.weight, None),
        logit_shift(target, training.weight, schema.dataset.prior),
    )
    folds: Any = BOOSTING_FOLDS
    if len(training.group):
        fold = folds_by_customer(target, training.group, BOOSTING_FOLDS, np.random.default_rng(0))
        folds = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(BOOSTING_FOLDS)]
    model: ClassifierMixin
    if kind == "logistic regression":
        model = LogisticRegression(max_iter=1000).fit(rows, target, weight)
        found = model.predict_proba(unseen)[:, 1]
        return np.asarray(1 / (1 + np.exp(-(logit(found) + shift))) if shift else found, dtype=np.float32)
    if kind == "random forest" and not len(training.group):
        model = RandomForestClassifier(TREES, oob_score=True, random_state=0).fit(rows, target, weight)
        out_of_sample = model.oob_decision_function_[:, 1]
    else:  # out of the bag of a tree may be another row of a customer who is in it
        model = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, max_leaf_nodes=8, random_state=0)
        if kind == "random forest":
            model = RandomForestClassifier(TREES, random_state=0)
        by = None if weight is None else {"sample_weight": weight}
        out_of_sample = cross_val_predict(model, rows, target, cv=folds, params=by, method="predict_proba")[:, 1]
        model.fit(rows, target, weight)
    slope, intercept = rising(logit(out_of_sample), target, weight)
    scores = logit(model.predict_proba(unseen)[:, 1])
    return np.asarray(1 / (1 + np.exp(-(slope * scores + intercept + shift))), dtype=np.float32)


def all_candidates(configs: Path) -> dict[str, Candidate]:
    """The model files in `configs` and the classic models, by name."""
    networks = {path.stem: partial(network, read_model(path)) for path in sorted(configs.glob("*.yaml"))}
    kinds = ("logistic regression", "random forest", "gradient boosting")
    return {**networks, **{kind: partial(classic, kind) for kind in kinds}}


def with_protected(schema: Schema) -> Schema:
    """The schema with no column protected, to measure the cost of leaving them out."""
    return _with_features(schema, protected=False)


def without_monotone(schema: Schema) -> Schema:
    """The schema with no feature held monotone, to measure the cost of holding them."""
    return _with_features(schema, monotone=None)


def _with_features(schema: Schema, **changes: Any) -> Schema:
    features = tuple(msgspec.structs.replace(feature, **changes) for feature in schema.dataset.features)
    return Schema(msgspec.structs.replace(schema.dataset, features=features))
