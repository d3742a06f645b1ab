"""The storage of searches: one SQLite file per dataset, one study per search, one process at a time.

Owns the file, its lock, and the states of a trial. Leaves the trials to `train.tuning.search`.
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

ERROR = "error"  # user attribute of a failed trial with its error; a killed trial has none
SEARCH = "search"  # user attribute of a study: its id in MLflow, unique even if a study of the same name was removed
BASE = "base"  # user attribute of the trial that is the base model file


@contextmanager
def study_in(folder: Path, name: str, stop_below: float) -> Iterator[optuna.Study]:
    """The study called `name` in `folder`, locked against other processes.

    Args:
        folder: holds `tune.db`.
        name: of the study, which is created if missing.
        stop_below: the p value below which a trial is worse than the best.
    """
    path = folder / "tune.db"
    optuna.logging.set_verbosity(
        optuna.logging.ERROR
    )  # by default it logs every trial, and a traceback for each failed one
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
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel releases it however the process ends
        except BlockingIOError:
            raise PipelineError(f"{path}: another search is running; wait until it ends") from None
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
            study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", pruner=pruner, load_if_exists=True
            )
            if SEARCH not in study.user_attrs:
                study.set_user_attr(SEARCH, uuid4().hex)
        except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as error:
            raise PipelineError(
                f"{path}: is not an Optuna database ({str(error).splitlines()[0]}); remove it"
            ) from error
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
    """The value of a complete trial."""
    if trial.value is None:
        raise ValueError(f"trial {trial.number} is not complete")
    return float(trial.value)


def best_first(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The complete trials, the best first; of equal ones, the earlier first."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (-value_of(trial), trial.number))
