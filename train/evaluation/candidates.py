"""What is compared: the network of a model file, and the classics of scikit-learn, each as one function.

A candidate learns everything inside the training rows it is given, its calibration included, and answers with the
calibrated probability of the event for the test rows. Protected columns are an input of none.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

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
from train.evaluate import logit
from train.export import torch_probabilities
from train.fit import calibrate, fit
from train.tables.table import Table

Candidate = Callable[[Schema, Table, Table], NDArray[np.float32]]
TREES = 500
BOOSTING_FOLDS = 5  # for the honest scores that its calibration is fitted to


def network(config: ModelConfig, schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """The network of a model file."""
    fitted = fit(schema, training, config)
    return torch_probabilities(schema, fitted.network, test.arrays)


def classic(kind: str, schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """`logistic regression`, `random forest` or `gradient boosting` of scikit-learn, calibrated (Platt, 1999).

    A forest is calibrated on its out-of-bag scores, boosting on those of its own folds; logistic regression, being
    fitted by maximum likelihood, is calibrated as it is.
    """
    rows, unseen = (np.hstack(Encoder(schema).columns(part.arrays)).astype(np.float64) for part in (training, test))
    categorical = len(schema.categorical)
    middle = np.nanmedian(rows, axis=0)
    rows, unseen = (np.where(np.isnan(part), middle, part) for part in (rows, unseen))
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), slice(0, categorical)), remainder=StandardScaler()
    ).fit(rows)
    rows, unseen, target = encode.transform(rows), encode.transform(unseen), training.target
    model: ClassifierMixin
    if kind == "logistic regression":
        model = LogisticRegression(max_iter=1000).fit(rows, target)
        return np.asarray(model.predict_proba(unseen)[:, 1], dtype=np.float32)
    if kind == "random forest":
        model = RandomForestClassifier(TREES, oob_score=True, random_state=0).fit(rows, target)
        honest = model.oob_decision_function_[:, 1]
    else:
        model = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, max_leaf_nodes=8, random_state=0)
        honest = cross_val_predict(model, rows, target, cv=BOOSTING_FOLDS, method="predict_proba")[:, 1]
        model.fit(rows, target)
    slope, intercept = calibrate(logit(honest), target)
    scores = logit(model.predict_proba(unseen)[:, 1])
    return np.asarray(1 / (1 + np.exp(-(slope * scores + intercept))), dtype=np.float32)


def all_candidates(configs: Path) -> dict[str, Candidate]:
    """The model files under `configs` and the classics, by name."""
    networks = {path.stem: partial(network, read_model(path)) for path in sorted(configs.glob("*.yaml"))}
    kinds = ("logistic regression", "random forest", "gradient boosting")
    return {**networks, **{kind: partial(classic, kind) for kind in kinds}}


def with_protected(schema: Schema) -> Schema:
    """The same table with no column protected: what leaving them out costs."""
    import msgspec

    features = tuple(msgspec.structs.replace(feature, protected=False) for feature in schema.dataset.features)
    return Schema(msgspec.structs.replace(schema.dataset, features=features))
