"""The store of a search: one SQLite file for a dataset, one study in it for each search, one process at a time.

Owns the file, its lock, and what the states of a trial mean. Leaves what a trial is to `train.tuning.search`.
"""

import fcntl
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from train.errors import PipelineError

ERROR = "error"  # the user attribute that holds why a trial failed; one that was killed has none
SEARCH = "search"  # the user attribute of a study by which MLflow knows it, even from one with its name before it
BASE = "base"  # the user attribute of the trial that is the model file itself


@contextmanager
def study_in(folder: Path, name: str, stop_below: float) -> Iterator[optuna.Study]:
    """The study called `name` in `folder`, while no other process searches there.

    Args:
        folder: holds `tune.db`.
        name: of the study, which is made where there is none.
        stop_below: the p value at which a trial counts as worse than the best.
    """
    path = folder / "tune.db"
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells every trial, and a failed one with its traceback
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=stop_below)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise PipelineError(f"{path}: cannot be written ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel drops it with the process, however that ends
        except BlockingIOError:
            raise PipelineError(f"{path}: another search is running; wait for its end") from None
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
            study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", pruner=pruner, load_if_exists=True
            )
            if SEARCH not in study.user_attrs:
                study.set_user_attr(SEARCH, uuid4().hex)
        except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as error:
            raise PipelineError(f"{path}: is no store of studies ({str(error).splitlines()[0]}); remove it") from error
        try:
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()


def state_of(trial: FrozenTrial) -> str:
    """`complete`, `pruned`, `failed`, `killed`, `running` or `waiting`."""
    if trial.state == TrialState.FAIL:
        return "failed" if ERROR in trial.user_attrs else "killed"
    return str(trial.state.name.lower())


def value_of(trial: FrozenTrial) -> float:
    """The value of a trial that is complete."""
    if trial.value is None:
        raise ValueError(f"trial {trial.number} is not complete")
    return float(trial.value)


def best_first(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those judged on every fold, the best first, and of equals the earlier."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (-value_of(trial), trial.number))
