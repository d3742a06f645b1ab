"""MLflow: one run a training, with what it took, how it went and what came of it.

Owns where runs go by default and what is logged; a run that fails is kept and marked. Import it late: MLflow
takes seconds, and it reads its switches from the environment at import.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import onnx
from matplotlib.figure import Figure
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from models import schema as scorer_schema
from train.fit import Epoch

STORE = Path("var/mlflow.db")
NOISY = ("alembic", "mlflow", "sqlalchemy")


@contextmanager
def run(experiment: str, name: str, tags: dict[str, str]) -> Iterator[str]:
    """A run of `experiment`, in `MLFLOW_TRACKING_URI` or in a SQLite file under `var/`; yields its id."""
    for logger in NOISY:
        logging.getLogger(logger).setLevel(logging.ERROR)  # migrations of an empty store are no news
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        STORE.parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{STORE}")
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifacts(mlflow.get_tracking_uri()))
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=name, tags=tags) as active:
        yield active.info.run_id


def artifacts(uri: str) -> str | None:
    """Where the files of runs go: beside a SQLite store, and where a server says.

    >>> artifacts("sqlite:////srv/mlflow.db"), artifacts("https://mlflow.example")
    ('file:///srv/mlflow', None)
    """
    path = uri.removeprefix("sqlite:///")
    return Path(path).with_suffix("").resolve().as_uri() if path != uri else None


def log_config(config: dict[str, Any]) -> None:
    """Parameters, nested keys joined with dots."""
    mlflow.log_params(dict(_flat(config)))


def log_epochs(run_id: str, epochs: list[Epoch]) -> None:
    """Loss and accuracy of each epoch, training and validation."""
    names = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
    points = [mlflow.entities.Metric(name, getattr(epoch, name), 0, epoch.number) for epoch in epochs for name in names]
    for first in range(0, len(points), 1000):  # the most that one call takes
        mlflow.MlflowClient().log_batch(run_id, metrics=points[first : first + 1000])


def log_result(metrics: dict[str, float], figures: dict[str, Figure], card: str) -> None:
    """Test metrics, figures and the model card."""
    mlflow.log_metrics({f"test_{name}": value for name, value in metrics.items()})
    for name, figure in figures.items():
        mlflow.log_figure(figure, f"figures/{name}.png")
    mlflow.log_text(card, "model_card.md")


def log_model(model: bytes, schema: scorer_schema.Schema) -> None:
    """The graph, with a signature from the schema."""
    columns = [
        ColSpec("string" if feature.type == "categorical" else "float", feature.name) for feature in schema.inputs
    ]
    signature = ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec("float", "probability")]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own deprecations
        mlflow.onnx.log_model(
            onnx.load_from_string(model), name="model", signature=signature, pip_requirements=["onnxruntime"]
        )


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
