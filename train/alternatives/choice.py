"""A person's choice from a search: checked, recorded, and turned into the model file to train.

Owns what is refused: a search about other settings or another table, and an option that was not offered. Nothing is
chosen here by itself. Leaves the record to `train.alternatives.record`, and judging the model to the gates.
"""

from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap

from msgspec import structs

from models.artifact import sha256
from train.alternatives import record
from train.alternatives.record import Choice
from train.alternatives.results import Option, Search
from train.alternatives.search import FILE
from train.alternatives.section import SAME
from train.errors import PipelineError
from train.publishing.approval import Decision
from train.version import data_sha256, evidence_settings
from train.workspace import Workspace

WIDTH = 116  # characters of a comment


def choose(workspace: Workspace, name: str, decided: Decision, out: Path) -> list[str]:
    """Record that somebody chose an option, and write its model file `out`; returns what is left to do.

    The model as it is can be chosen as well: that declines every alternative, and writes no file.
    """
    search = current(workspace)
    offered = {option.name: option for option in search.offered}
    if name not in offered:
        raise PipelineError(
            f"{name} was not offered; choose one of: {', '.join(offered)} (python -m train alternatives)"
        )
    option = offered[name]
    choice = Choice(
        chosen=record.weighed(option),
        declined=[record.weighed(other) for other in search.offered if other.name != name],
        looked_at=len(search.options),
        config=option.config,
        dropped=option.dropped,
        threshold=option.threshold,
        by=decided.by,
        why=decided.why,
        at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
    )
    own = option == search.options[0]
    if not own:
        write_model(workspace, option, decided, out)
    digest = sha256(workspace.path(FILE).read_bytes())
    file = record.append(workspace.dataset.name, digest, choice, workspace.signing_key, decided.key)
    said = [f"{option.name} ({option.what}) is chosen by {decided.by}; {file} has the record"]
    return said if own else said + to_do(workspace, option, out)


def current(workspace: Workspace) -> Search:
    """The search of this workspace; raises where there is none, or it is about other settings or another table."""
    search = workspace.read_json(FILE, Search) if (workspace.folder / FILE).exists() else None
    settings = evidence_settings(workspace.dataset, workspace.config, workspace.baseline, workspace.gates)
    now = (settings, data_sha256(workspace.dataset))
    if search is None or (search.settings, search.data_sha256) != now:
        problem = "there is no search" if search is None else "the search is about other settings or another table"
        raise PipelineError(f"{workspace.folder / FILE}: {problem}; search: python -m train alternatives")
    return search


def to_do(workspace: Workspace, option: Option, out: Path) -> list[str]:
    """How the option becomes a model that the gates judge."""
    dataset, steps = workspace.dataset, []
    if option.dropped:
        steps.append(f"remove from {workspace.dataset_path} the features {', '.join(option.dropped)}")
    if dataset.threshold is None or abs(option.threshold - dataset.threshold) > SAME:
        odds = (1 - option.threshold) / option.threshold
        steps.append(
            f"set costs in {workspace.dataset_path} to missed_event: {odds:.4g} and false_alarm: 1, if those are your "
            f"costs: they imply the threshold {option.threshold:.4f}"
        )
    return [*steps, f"train it: make train DATASET={workspace.dataset_path} MODEL={out}"]


def write_model(workspace: Workspace, option: Option, decided: Decision, out: Path) -> None:
    """Write the model file of an option."""
    from train.tuning.result import model_file

    start = workspace.model_path.stem
    config = structs.replace(option.config, description=f"{start}: {option.what}, chosen as an alternative")
    how = wrap(f"Chosen by {decided.by} from `python -m train alternatives`: {decided.why}", WIDTH)
    try:
        out.write_text(model_file(config, workspace.config, start, how), encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"{out}: cannot be written ({error.strerror}); give another file: --out FILE") from error
