"""Everything that can be compared: the networks of the model files, and every opponent, by name."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from configs.model import read_model
from train.evaluation.candidates import Candidate, network
from train.opponents.boosting import boosting, catboost, lightgbm, scikit_learn, xgboost
from train.opponents.classics import logistic_regression, random_forest
from train.opponents.scorecard import scorecard

ELSEWHERE = {"LightGBM": lightgbm, "XGBoost": xgboost, "CatBoost": catboost}  # in .venv-comparison alone


def networks(files: list[Path]) -> dict[str, Candidate]:
    """The networks of model files, by the name of the file."""
    return {path.stem: partial(network, read_model(path)) for path in files}


def opponents() -> dict[str, Candidate]:
    """Every opponent that is installed where this runs."""
    found: dict[str, Candidate] = {
        "logistic regression": logistic_regression,
        "scorecard": scorecard,
        "random forest": random_forest,
        "gradient boosting": partial(boosting, scikit_learn),
    }
    left_out = absent()
    return found | {name: partial(boosting, library) for name, library in ELSEWHERE.items() if name not in left_out}


def absent() -> list[str]:
    """The opponents that are not installed where this runs: `make evaluate` has them all."""
    return [name for name in ELSEWHERE if find_spec(name.lower()) is None]
