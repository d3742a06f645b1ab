"""MLflow: one run per training, with the contents of its workspace; failed trainings are recorded too.

Owns where runs go and what they contain. Leaves the numbers to the stages, and aliases to `train.registry`.
"""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mlflow
import msgspec
import onnx
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from sqlalchemy.exc import SQLAlchemyError

from models import schema as scorer_schema
from models.artifact import sha256
from train.errors import PipelineError
from train.exclusive import exclusively
from train.network.look import Look
from train.version import ROOT, commit, data_sha256
from train.workspace import Workspace

STORE = Path("var/mlflow.db")
SQLITE = "sqlite:///"
NOISY = ("alembic", "mlflow", "sqlalchemy", "urllib3")
EVIDENCE = (
    *("data_report.html", "data_report.json", "evidence.json", "gates.json", "judgement.json"),
    *("model_card.md", "model_card.html"),
)


def connect() -> str:
    """Point MLflow at `MLFLOW_TRACKING_URI`, or at a SQLite file in `var/`; returns the URI.

    A database that is empty is filled here, by one process at a time: two that fill it together break it.
    """
    for logger in NOISY:
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # hides the migrations of an empty store
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        STORE.parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{STORE}")
    uri = mlflow.get_tracking_uri()
    if not uri.startswith(("http://", "https://")):  # a server fills its own
        with exclusively(Path(uri.removeprefix(SQLITE)).parent if uri.startswith(SQLITE) else STORE.parent):
            mlflow.MlflowClient().search_experiments(max_results=1)
    return uri


def artifacts(uri: str) -> str | None:
    """Where the files of runs go: beside a SQLite store; None leaves it to a server.

    >>> artifacts("sqlite:////srv/mlflow.db"), artifacts("https://mlflow.example")
    ('file:///srv/mlflow', None)
    """
    path = uri.removeprefix(SQLITE)
    return Path(path).with_suffix("").resolve().as_uri() if path != uri else None


@contextmanager
def reachable() -> Iterator[None]:
    """Turns MLflow's errors into a single line with the remedy."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        uri = without_password(mlflow.get_tracking_uri())
        remedy = "start it, or unset MLFLOW_TRACKING_URI"
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            remedy = f"see that {STORE} is a database that you can write to, or move it away to begin a new one"
        raise PipelineError(f"MLflow at {uri} did not accept the run ({_reason(error)}); {remedy}") from error


def without_password(text: str) -> str:
    """The text without the user and password of any URL in it.

    >>> without_password("GET https://me:secret@mlflow.example/api failed")
    'GET https://mlflow.example/api failed'
    """
    return re.sub(r"://[^/@\s]*@", "://", text)


def _reason(error: BaseException) -> str:
    """The operating system's message if that is the cause, as MLflow's own can fill a page."""
    message, cause = (str(error).strip() or type(error).__name__).splitlines()[0][:300], error.__context__
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            message = cause.strerror
        cause = cause.__context__
    return without_password(message)


def experiment(name: str) -> str:
    """The id of a dataset's experiment, which is created if missing; fails if MLflow does not respond."""
    with reachable():
        uri = connect()
        found = mlflow.get_experiment_by_name(name)
        if found is None:
            with suppress(MlflowException):  # another training has just made it, or the next call says what is wrong
                return str(mlflow.create_experiment(name, artifacts(uri)))
            found = mlflow.get_experiment_by_name(name)
        if found is None:
            raise PipelineError(f"MLflow at {without_password(uri)} did not make the experiment {name}; see its log")
        return str(found.experiment_id)


@contextmanager
def run(workspace: Workspace) -> Iterator[str]:
    """A run of the dataset's experiment with the present contents of the workspace; yields its id.

    It is marked FAILED if the body raises.
    """
    with reachable():
        mlflow.set_experiment(experiment_id=experiment(workspace.dataset.name))
        active = mlflow.start_run(run_name=f"{workspace.model_path.stem}-{workspace.version[:8]}")
        with active:
            mlflow.set_tags(tags(workspace))
            log_inputs(workspace)
            log_results(workspace, active.info.run_id)
            yield active.info.run_id
            mlflow.set_tag("outcome", "published")


class _MarkFailed(Exception):  # noqa: N818 - not an error: it makes MLflow mark the run FAILED
    """Ends a run as failed."""


def record_failure(workspace: Workspace, stage: str, error: BaseException) -> None:
    """Record a run that did not finish."""
    with suppress(_MarkFailed), run(workspace):
        mlflow.set_tag("outcome", f"stopped at {stage}")
        mlflow.log_text(str(error) or type(error).__name__, "error.txt")
        raise _MarkFailed


def tags(workspace: Workspace) -> dict[str, str]:
    """The origin of a run: version, commit, and digests of data and environment."""
    lock, pipeline = ROOT / "requirements/all.txt", ROOT / "dvc.lock"
    return {
        "version": workspace.version,
        "commit": commit() or "unknown",
        "data_sha256": data_sha256(workspace.dataset),
        "requirements_sha256": sha256(lock.read_bytes()) if lock.exists() else "unknown",
        "dvc_lock_sha256": sha256(pipeline.read_bytes()) if pipeline.exists() else "unknown",
    }


def log_inputs(workspace: Workspace) -> None:
    """Log parameters, with nested keys joined by dots, and the dataset with its digest."""
    config = msgspec.to_builtins(workspace.config)
    paths = {"dataset": str(workspace.dataset_path), "model": str(workspace.model_path)}
    mlflow.log_params(dict(_flat(config)) | paths)
    digest = data_sha256(workspace.dataset)[:36]
    source = CodeDatasetSource(tags={"path": workspace.dataset.source.path})
    columns: list[ColSpec | TensorSpec] = [_column(feature) for feature in workspace.dataset.features]
    logged = MetaDataset(source, workspace.dataset.name, digest, Schema(columns))  # type: ignore[abstract]  # MLflow's own
    mlflow.log_input(logged, context="training")


def log_results(workspace: Workspace, run_id: str) -> None:
    """Log those of curves, metrics, plots and evidence that exist."""
    folder = workspace.folder
    if (folder / "curves.json").exists():
        _log_curves(workspace.read_json("curves.json", list[Look]), run_id)
    if (folder / "metrics.json").exists():
        found = workspace.read_json("metrics.json", dict[str, dict[str, float]])
        mlflow.log_metrics(
            {f"{part}_{name}": value for part, values in found.items() for name, value in values.items()}
        )
    if (folder / "classification_report.txt").exists():
        mlflow.log_artifact(str(folder / "classification_report.txt"))
    for picture in sorted((folder / "figures").glob("*.png")):
        mlflow.log_artifact(str(picture), "figures")
    for name in EVIDENCE:
        if (folder / name).exists():
            mlflow.log_artifact(str(folder / name))


def _log_curves(looks: list[Look], run_id: str) -> None:
    """Log training and validation loss and accuracy at each look."""
    names = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
    points = [mlflow.entities.Metric(name, getattr(look, name), 0, look.step) for look in looks for name in names]
    for first in range(0, len(points), 1000):  # the most per call
        mlflow.MlflowClient().log_batch(run_id, metrics=points[first : first + 1000])


def log_model(model: bytes, schema: scorer_schema.Schema, example: dict[str, Any]) -> str:
    """Log the graph, with a signature from the schema and an example; returns its URI."""
    import pandas as pd

    signature = ModelSignature(
        inputs=Schema([_column(feature) for feature in schema.inputs]),
        outputs=Schema([ColSpec("float", "probability")]),
    )
    row = pd.DataFrame([{feature.name: example.get(feature.name) for feature in schema.inputs}])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own deprecations
        logged = mlflow.onnx.log_model(
            onnx.load_from_string(model),
            name="model",
            signature=signature,
            input_example=row,
            pip_requirements=["onnxruntime"],
        )
    return str(logged.model_uri)


def _column(feature: Any) -> ColSpec:
    return ColSpec("string" if feature.type == "categorical" else "float", feature.name)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
