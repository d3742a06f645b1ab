"""The search for a better model file: Optuna proposes, folds of the training part judge, and the best is written.

Owns the study: what a trial is, when it is pruned, how a search resumes. Leaves the choices to `train.tuning.space` and
MLflow to `train.tuning.trials`. The search does not use the test part and publishes nothing: the value of the best of
many trials is optimistic, so the gates and `make evaluate` judge it on other folds.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import optuna
from msgspec import Struct, structs
from optuna.trial import FrozenTrial, TrialState
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from configs.model import ModelConfig
from models.artifact import content_version
from models.schema import Schema
from train.check import check
from train.console import Console
from train.errors import PipelineError
from train.evaluation.candidates import network
from train.evaluation.cross_validation import Fold
from train.evaluation.folding import plan
from train.split import min_rows_per_class, split_table
from train.tables.table import Table
from train.tuning.result import conclude
from train.tuning.space import SECTIONS, Space, around, config_at, positions, values_of
from train.tuning.study import BASE, ERROR, best_first, state_of, study_in, value_of
from train.tuning.trials import SearchRun, search_run
from train.version import code_files, data_sha256
from train.workspace import HOME, Workspace


class Rules(Struct, frozen=True, kw_only=True):
    """How trials are drawn, judged and pruned; different rules make a different search.

    The objective is ROC AUC, as in the gates and the leaderboard; every model is calibrated on its own. Folds are
    paired, because they differ (0.02 of ROC AUC on German Credit) more than good models do: a trial is compared with
    the best one fold by fold, by Wilcoxon's signed-rank test, and not with a median of running means.
    """

    folds: int = 5
    repeats: int = 2
    fold_seed: int = 1_000_003  # the gates and `make evaluate` use 0
    sampler_seed: int = 0  # of the first trial; each trial adds 1, so a resumed search equals an uninterrupted one
    stop_below: float = 0.1  # p value below which a trial is worse than the best; needs at least four folds


RULES = Rules()


@dataclass(frozen=True)
class Search:
    """What all trials of a search share.

    Attributes:
        base: the model file that it starts from.
        space: what may change.
        schema: the compiled dataset.
        table: the training part.
        folds: of that table.
    """

    base: ModelConfig
    space: Space
    schema: Schema
    table: Table
    folds: list[Fold]


def tune(workspace: Workspace, trials: int, out: Path, console: Console, rules: Rules = RULES) -> Path:
    """Search until the study has `trials` trials, and write the best one as the model file `out`.

    Args:
        workspace: its model file is the start of the search, and the first trial.
        trials: how many in total, including those of earlier calls.
        out: the model file to write.
        console: shows the progress.
        rules: how trials are judged.
    """
    if out.resolve() == workspace.model_path.resolve():
        raise PipelineError(f"{out}: the search starts from this file; give another one with --out")
    if workspace.config.scorecard:
        raise PipelineError(f"{workspace.model_path}: a search varies networks, and this is a scorecard; give another")
    if not (out.parent.is_dir() and os.access(out.parent, os.W_OK)):
        raise PipelineError(f"{out}: its folder is missing or not writable; give another file with --out")
    search, name = _search(workspace, rules), study_name(workspace, rules)
    folder = HOME / workspace.dataset.name
    with study_in(folder, name, rules.stop_below) as study, search_run(workspace, study) as run:
        done = _record_ended(study, run, search)
        console.print(f"tuning    {workspace.model_path} on {workspace.dataset.name}: {len(done)} of {trials} done")
        with console.progress("tuning   ", max(0, trials - len(done))) as advance:
            while len(done) < trials:
                _one_trial(study, rules.sampler_seed + len(done), search, first=not done)
                done = _record_ended(study, run, search)
                if ERROR in done[-1].user_attrs:
                    console.print(f"trial {done[-1].number} failed: {done[-1].user_attrs[ERROR]}")
                advance(" ".join(f"best {value_of(trial):.4f}" for trial in best_first(done)[:1]))
        members = with_fewer_members(search.base).network.members
        judged = (
            f"on {rules.folds} folds of the training part, drawn {rules.repeats} times, with {members} members each"
        )
        return conclude(workspace, study, run, search.space, judged, out, console)


def _search(workspace: Workspace, rules: Rules) -> Search:
    base, settings = workspace.config, workspace.config.split
    least = max(min_rows_per_class(base), math.ceil(2 * rules.folds / (1 - settings.test)))
    table = check(workspace.dataset, least)
    training = table.rows(split_table(table, settings.test, settings.seed)[0])
    folds = plan(training, rules.folds, rules.repeats, rules.fold_seed).folds
    return Search(base, around(base), workspace.schema, training, folds)


def study_name(workspace: Workspace, rules: Rules) -> str:
    """Dataset name, and a digest of everything that a trial's value depends on, such as table, base and code."""
    base = structs.replace(workspace.config, description="")
    parts = [msgspec.json.encode(part) for part in (workspace.dataset, base, around(base), rules)]
    code = [path.read_bytes() for path in code_files()]
    return f"{workspace.dataset.name}-{content_version([*parts, data_sha256(workspace.dataset).encode(), *code])}"


def _record_ended(study: optuna.Study, run: SearchRun, search: Search) -> list[FrozenTrial]:
    """Fail trials that a killed search left running, record all ended ones in MLflow, and return those that count."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)  # no other process runs trials: we hold the lock
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    for trial in ended:
        drawn = len(trial.params) == len(SECTIONS)  # else it was killed while drawing
        run.record(trial, values_of(config_at(search.space, trial.params, search.base)) if drawn else {})
    return [trial for trial in ended if state_of(trial) != "killed"]


def _one_trial(study: optuna.Study, seed: int, search: Search, first: bool) -> None:
    """Draw a model file and judge it fold by fold, as long as it can still be the best.

    The first trial is the model file that the search starts from. The next draw depends only on the trials in the
    study, not on interruptions. Only training errors are caught; after any other, the trial is drawn again.
    """
    space, table = search.space, search.table
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    if first and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(positions(space, search.base), user_attrs={BASE: True})
    trial = study.ask()
    chosen = {name: trial.suggest_int(name, 0, len(getattr(space, name)) - 1) for name in SECTIONS}
    config = with_fewer_members(config_at(space, chosen, search.base))
    values: list[float] = []
    for step, (fit_on, judge_on) in enumerate(search.folds):
        try:
            with threadpool_limits(1):  # as in `train.evaluation.cross_validation`
                probability = network(config, search.schema, table.rows(fit_on), table.rows(judge_on))
        except PipelineError as error:
            trial.set_user_attr(ERROR, str(error))
            study.tell(trial, state=TrialState.FAIL)
            return
        weights = table.weight[judge_on] if len(table.weight) else None
        values.append(float(roc_auc_score(table.target[judge_on], probability, sample_weight=weights)))
        trial.report(values[-1], step)
        if len(values) < len(search.folds) and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return
    study.tell(trial, sum(values) / len(values))


def with_fewer_members(config: ModelConfig) -> ModelConfig:
    """`config` with no more members than its folds need.

    On German Credit, `001_production` with 8 instead of 16 takes half the time and loses 0.0008 of ROC AUC.
    """
    members = min(config.network.members, config.training.folds)
    return structs.replace(config, network=structs.replace(config.network, members=members))
