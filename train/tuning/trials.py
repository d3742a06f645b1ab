"""A search in MLflow: one run for the search, with a child run for each ended trial.

Owns the content of these runs. Everything comes from the study, so a resumed search records what a killed one could
not. Leaves the study to `train.tuning.search`, and where runs go to `train.tracking`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from train.tracking import connect, experiment, reachable, tags
from train.tuning.study import SEARCH, state_of, value_of
from train.workspace import Workspace

MAX_RUNS = 10_000  # of one search
ENDED = ("FINISHED", "FAILED", "KILLED")


@dataclass(frozen=True)
class SearchRun:
    """The run of one search.

    Attributes:
        known: by trial number, the id and status of its run.
    """

    client: mlflow.MlflowClient
    experiment_id: str
    run_id: str
    known: dict[str, tuple[str, str]] = field(default_factory=dict)

    def record(self, trial: FrozenTrial, values: dict[str, Any]) -> None:
        """Record an ended trial with its `values`, unless it is recorded already."""
        number, state = str(trial.number), state_of(trial)
        run_id, status = self.known.get(number, ("", ""))
        if status in ENDED:
            return
        with reachable():
            started, ended = (_ms(trial.datetime_start), _ms(trial.datetime_complete))
            if not run_id:
                parent = {"mlflow.parentRunId": self.run_id, "mlflow.runName": f"trial {number}", "trial": number}
                run_id = self.client.create_run(self.experiment_id, started, parent).info.run_id
            metrics = [Metric("fold_roc_auc", value, ended, step) for step, value in trial.intermediate_values.items()]
            if trial.state == TrialState.COMPLETE:
                metrics.append(Metric("roc_auc", value_of(trial), ended, 0))
            notes = {"state": state} | {key: str(value) for key, value in trial.user_attrs.items()}
            self.client.log_batch(
                run_id,
                metrics=metrics,
                params=[Param(name, str(value)) for name, value in values.items()],
                tags=[RunTag(name, value) for name, value in notes.items()],
            )
            status = {"failed": "FAILED", "killed": "KILLED"}.get(state, "FINISHED")
            self.client.set_terminated(run_id, status, ended)
        self.known[number] = (run_id, status)

    def conclude(self, metrics: dict[str, float], path: Path) -> None:
        """Record the result of the search, and the model file that it wrote."""
        with reachable():
            for name, value in metrics.items():
                self.client.log_metric(self.run_id, name, value)
            self.client.log_artifact(self.run_id, str(path))


@contextmanager
def search_run(workspace: Workspace, study: Study) -> Iterator[SearchRun]:
    """The run of a study, created or resumed; it ends with the block, and is marked FAILED if the block raises."""
    search = study.user_attrs[SEARCH]
    with reachable():
        connect()
        client, experiment_id = mlflow.MlflowClient(), experiment(workspace.dataset.name)
        found = client.search_runs([experiment_id], f"tags.search = '{search}'", max_results=1)
        if found:
            run_id = found[0].info.run_id
            client.update_run(run_id, "RUNNING")
        else:
            paths = {"dataset": str(workspace.dataset_path), "model": str(workspace.model_path)}
            origin = {name: value for name, value in tags(workspace).items() if name != "version"}
            made = {"mlflow.runName": "tune", "outcome": "search", "study": study.study_name, "search": search}
            run_id = client.create_run(experiment_id, tags=made | origin | paths).info.run_id
        children = client.search_runs([experiment_id], f"tags.mlflow.parentRunId = '{run_id}'", max_results=MAX_RUNS)
    known = {run.data.tags["trial"]: (run.info.run_id, run.info.status) for run in children}
    status = "FAILED"
    try:
        yield SearchRun(client, experiment_id, run_id, known)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        with reachable():
            client.set_terminated(run_id, status)


def _ms(time: datetime | None) -> int:
    return int(time.timestamp() * 1000) if time else 0
