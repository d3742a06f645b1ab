"""Gradient boosting: scikit-learn's, LightGBM, XGBoost and CatBoost, with their own treatment of categories and gaps.

Each has one setting for every table: a rate of 0.05, small trees, a little subsampling where it has it. How many trees
there are, rows decide that a model did not see: the mean loss on five folds, of which a large table takes one alone.
Their scores calibrate it (Platt, 1999), as those of every other candidate do. LightGBM, XGBoost and CatBoost are in
.venv-comparison alone.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from models.schema import Schema
from train.calibration import rising
from train.evaluate import logit
from train.opponents.inputs import Matrix, matrix
from train.opponents.population import inner_folds, probability, weights_of
from train.tables.table import Table

FOLDS = 5
LARGE = 20_000  # rows from which one fold is enough to say how many trees
RATE = 0.05
MOST_TREES, PATIENCE = 3000, 50
LEAVES, DEPTH = 15, 4
SHARE = 0.8  # of rows and columns per tree
MOST_CATEGORIES = 255  # that scikit-learn takes; it takes the codes of more as numbers

Target = NDArray[np.int64]
Counts = NDArray[np.float64]  # what a row counts


class Trained(NamedTuple):
    """One model: what it says of rows, `[rows]` in log-odds, and how many trees it has."""

    log_odds: Callable[[Matrix], NDArray[np.float64]]
    trees: int


class Held(NamedTuple):
    """Rows that tell when to stop."""

    rows: Matrix
    target: Target
    weights: Counts


Library = Callable[[Matrix, Target, Counts, Held | None, int], Trained]


def boosting(library: Library, schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """The calibrated probability of the event by one of the libraries below."""
    rows, target, weights = matrix(schema, training), training.target, weights_of(training)
    parts = inner_folds(training, FOLDS)
    parts = parts[:1] if len(target) >= LARGE else parts
    scores, counts = [], []
    for fit_on, stop_on in parts:
        held = Held(_at(rows, stop_on), target[stop_on], weights[stop_on])
        model = library(_at(rows, fit_on), target[fit_on], weights[fit_on], held, MOST_TREES)
        scores.append(model.log_odds(held.rows))
        counts.append(model.trees)
    stopped = np.concatenate([stop_on for _, stop_on in parts])
    slope, intercept = rising(np.concatenate(scores), target[stopped], weights[stopped])
    final = library(rows, target, weights, None, max(1, round(float(np.mean(counts)))))
    return probability(schema, training, slope * final.log_odds(matrix(schema, test)) + intercept)


def _at(rows: Matrix, index: NDArray[np.int64]) -> Matrix:
    return Matrix(rows.values[index], rows.categorical)


def scikit_learn(rows: Matrix, target: Target, weights: Counts, held: Held | None, trees: int) -> Trained:
    """`HistGradientBoostingClassifier`, with its treatment of missing values and, up to 255 of them, of categories."""
    few = rows.values.max(axis=0) < MOST_CATEGORIES
    model = HistGradientBoostingClassifier(
        learning_rate=RATE,
        max_iter=trees,
        max_leaf_nodes=LEAVES,
        categorical_features=(np.arange(rows.values.shape[1]) < rows.categorical) & few,
        early_stopping=held is not None,
        n_iter_no_change=PATIENCE,
        random_state=0,
    )
    if held is None:
        model.fit(rows.values, target, weights)
    else:
        by = {"X_val": held.rows.values, "y_val": held.target, "sample_weight_val": held.weights}
        model.fit(rows.values, target, weights, **by)
    best = int(np.argmax(model.validation_score_)) if held else model.n_iter_  # the first score is that of no tree
    return Trained(lambda unseen: logit(model.predict_proba(unseen.values)[:, 1]), max(1, best))


def lightgbm(rows: Matrix, target: Target, weights: Counts, held: Held | None, trees: int) -> Trained:
    """LightGBM (Ke et al., 2017)."""
    import lightgbm as library

    settings = {
        "objective": "binary",
        "learning_rate": RATE,
        "num_leaves": LEAVES,
        "feature_fraction": SHARE,
        "bagging_fraction": SHARE,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "num_threads": 1,
        "seed": 0,
        "verbose": -1,
    }
    categorical = list(range(rows.categorical))
    data = library.Dataset(rows.values, target, weight=weights, categorical_feature=categorical, params={"verbose": -1})
    stops = [library.early_stopping(PATIENCE, verbose=False)] if held else []
    watched = [data.create_valid(held.rows.values, held.target, weight=held.weights)] if held else []
    model = library.train(settings, data, trees, valid_sets=watched, callbacks=stops)
    best = model.best_iteration if held else trees
    return Trained(lambda unseen: np.asarray(model.predict(unseen.values, raw_score=True, num_iteration=best)), best)


def xgboost(rows: Matrix, target: Target, weights: Counts, held: Held | None, trees: int) -> Trained:
    """XGBoost (Chen and Guestrin, 2016)."""
    import xgboost as library

    kinds = ["c"] * rows.categorical + ["q"] * (rows.values.shape[1] - rows.categorical)

    def data(part: Matrix, outcomes: Target | None = None, counts: Counts | None = None) -> Any:
        kind = {"feature_types": kinds, "enable_categorical": True, "nthread": 1}
        return library.DMatrix(part.values, outcomes, weight=counts, **kind)

    settings = {
        "objective": "binary:logistic",
        "learning_rate": RATE,
        "max_depth": DEPTH,
        "subsample": SHARE,
        "colsample_bytree": SHARE,
        "nthread": 1,
        "seed": 0,
    }
    watched = [(data(held.rows, held.target, held.weights), "held")] if held else []
    stop = PATIENCE if held else None
    model = library.train(
        settings, data(rows, target, weights), trees, evals=watched, early_stopping_rounds=stop, verbose_eval=False
    )
    best = model.best_iteration + 1 if held else trees
    return Trained(lambda unseen: model.predict(data(unseen), output_margin=True, iteration_range=(0, best)), best)


def catboost(rows: Matrix, target: Target, weights: Counts, held: Held | None, trees: int) -> Trained:
    """CatBoost (Prokhorenkova et al., 2018)."""
    import catboost as library
    import pandas as pd

    def data(part: Matrix, outcomes: Target | None = None, counts: Counts | None = None) -> Any:
        frame = pd.DataFrame(part.values)
        frame = frame.astype(dict.fromkeys(range(part.categorical), np.int64))
        return library.Pool(frame, outcomes, cat_features=list(range(part.categorical)), weight=counts)

    model = library.CatBoostClassifier(
        iterations=trees,
        learning_rate=RATE,
        depth=DEPTH,
        early_stopping_rounds=PATIENCE if held else None,
        thread_count=1,
        random_seed=0,
        verbose=False,
        allow_writing_files=False,
    )
    watched = data(held.rows, held.target, held.weights) if held else None
    model.fit(data(rows, target, weights), eval_set=watched)
    return Trained(lambda unseen: model.predict(data(unseen), prediction_type="RawFormulaVal"), model.tree_count_)
