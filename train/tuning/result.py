"""The result of a search: the best trial as a model file, and a summary for the terminal.

Owns the layout of that file and the summary. Leaves the search to `train.tuning.search`.
"""

import os
from collections import Counter
from pathlib import Path
from textwrap import wrap
from typing import Any

import msgspec
import optuna
from msgspec import structs
from optuna.trial import FrozenTrial

from configs.model import ModelConfig
from train.console import Console
from train.errors import PipelineError
from train.tuning.space import SECTIONS, Space, config_at, values_of
from train.tuning.study import BASE, best_first, state_of, value_of
from train.tuning.trials import SearchRun
from train.workspace import Workspace

SHOWN = 5  # trials in the table
MIN_VALUES = 10  # different values needed to rank the keys by importance; with fewer it is noise


def conclude(
    workspace: Workspace, study: optuna.Study, run: SearchRun, space: Space, judged: str, out: Path, console: Console
) -> Path:
    """Write the best trial as the model file `out`, and print a summary; `judged` describes the folds."""
    base, start = workspace.config, workspace.model_path.stem
    trials = [trial for trial in study.get_trials(deepcopy=False) if state_of(trial) != "killed"]
    complete = best_first(trials)
    if not complete:
        raise PipelineError("no trial finished, so there is no best one; see their errors: make ui")
    values = {"best_roc_auc": value_of(complete[0])}
    gain = f"{start} itself failed"
    for trial in complete:
        if BASE not in trial.user_attrs:
            continue
        values["base_roc_auc"] = value_of(trial)
        gain = f"{values['best_roc_auc'] - values['base_roc_auc']:+.4f} over {start}"
    states = Counter(state_of(trial) for trial in trials)
    counts = ", ".join(f"{states[state]} {state}" for state in ("complete", "pruned", "failed") if states[state])
    how = (
        f"the best of {len(trials)} trials ({counts}), mean ROC AUC {values['best_roc_auc']:.4f} {judged}; {gain}. "
        "The best of many looks better than it is: judge it by `make evaluate` and the gates."
    )
    command = f"Found by `python -m train tune --dataset {workspace.dataset_path} --model {workspace.model_path}`,"
    _write(workspace, config_at(space, complete[0].params, base), [command, *wrap(how, 118)], out)
    run.conclude(values | {"trials": len(trials)}, out)
    console.print(f"tuned     {counts}\n\ntrial  ROC AUC  differs from {start} in")
    for trial in complete[:SHOWN]:
        now, before = values_of(config_at(space, trial.params, base)), values_of(base)
        differs = ", ".join(f"{name} {_text(now[name])}" for name in SECTIONS if now[name] != before[name])
        console.print(f"{trial.number:5}  {value_of(trial):.4f}   {differs or 'nothing'}")
    if importances := _importances(study, complete):
        console.print("\nimportant " + ", ".join(f"{name} {share:.2f}" for name, share in importances.items()))
    console.print(f"gain      {gain} in the search; judge {out} by make evaluate and the gates")
    return out


def _write(workspace: Workspace, found: ModelConfig, how: list[str], out: Path) -> None:
    start = workspace.model_path.stem
    found = structs.replace(found, description=f"{start}, tuned on {workspace.dataset.name}")
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        temporary.write_text(model_file(found, workspace.config, start, how), encoding="utf-8")
        temporary.replace(out)
    except OSError as error:
        raise PipelineError(f"{out}: cannot be written ({error.strerror}); run again, the trials are saved") from error
    finally:
        temporary.unlink(missing_ok=True)


def _importances(study: optuna.Study, complete: list[FrozenTrial]) -> dict[str, float]:
    """The importance of each key for the best trials (PED-ANOVA), summing to 1; empty with too few values."""
    if len({trial.value for trial in complete}) < MIN_VALUES:
        return {}
    return dict(optuna.importance.get_param_importances(study))


def model_file(config: ModelConfig, base: ModelConfig, base_name: str, how: list[str]) -> str:
    """The text of a model file: what differs from the defaults, each with the value of `base` in a comment.

    Args:
        config: the model file to write.
        base: the model file that the search started from.
        base_name: its name.
        how: comment lines on how it was found.
    """
    lines = [f"# {line}" for line in how] + [f"description: {msgspec.json.encode(config.description).decode()}"]
    defaults = ModelConfig()
    for section in ("encoding", "network", "training", "split"):
        found, default, before = (getattr(one, section) for one in (config, defaults, base))
        entries = []
        for name in found.__struct_fields__:
            value, old = getattr(found, name), getattr(before, name)
            if value != getattr(default, name) or value != old:
                note = f"  # {base_name} has {_text(old)}" if value != old else ""
                entries.append(f"  {name}: {_text(value)}{note}")
        lines += [f"{section}:", *entries] if entries else []
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, tuple) else str(value)
