"""What a judgement is bound to: the version of the model, the champion of that moment, and the files that were judged.

Owns `judgement.json`, and the refusal of evidence that is about other files or was gathered by other settings. A
judgement is a record: nothing enters the store on the word of that file, for publishing judges again. Only the
comparison with the champion, ten trainings, is taken from it, and only where it is bound to all that is there now.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from models.artifact import sha256
from train.errors import PipelineError
from train.evaluation.results import Comparison, Evidence, Verdict
from train.version import data_sha256, evidence_settings
from train.workspace import Workspace

FILE = "judgement.json"
MEASURED = ("table.parquet", "split.npy", "model.onnx", "baseline.onnx")  # what `evidence.json` is about
JUDGED = (*MEASURED, "encoded.onnx", "metrics.json", "evidence.json", "parity.json", "data_report.json")


class Judgement(Struct, frozen=True, kw_only=True):
    """The verdicts on a model, and what they are about.

    Attributes:
        version: of the model: data, configs, bounds and code.
        files: SHA-256 of each of `JUDGED`.
        attempt: which model this is, from 1, of all that were measured here on test rows of these outcomes.
        comparison: with the champion of that moment; null if there was none.
        verdicts: of every gate.
    """

    version: str
    files: dict[str, str]
    attempt: int
    comparison: Comparison | None
    verdicts: list[Verdict]

    @property
    def champion(self) -> str | None:
        """The version that it was compared with; None where there was no other."""
        return self.comparison.version if self.comparison else None

    @property
    def failed(self) -> list[Verdict]:
        """The verdicts that keep the model out of the store."""
        return [verdict for verdict in self.verdicts if verdict.status == "fail"]


def digests(workspace: Workspace, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files of the workspace by name; raises for one that is not there."""
    return {name: sha256(workspace.path(name).read_bytes()) for name in names}


def bound_evidence(workspace: Workspace) -> Evidence:
    """The evidence, which is about the files and settings of this workspace; raises where it is about others."""
    evidence = workspace.read_json("evidence.json", Evidence)
    found = digests(workspace, MEASURED)
    if altered := [name for name in MEASURED if evidence.files.get(name) != found[name]]:
        raise _stale(workspace, f"is about another {' and '.join(altered)}", "evaluate")
    if evidence.settings != evidence_settings(workspace.dataset, workspace.config, workspace.baseline, workspace.gates):
        raise _stale(workspace, "was gathered by other settings: dataset file, model files or gates differ", "evaluate")
    return evidence


def refuse_other_data(workspace: Workspace, checked: str) -> None:
    """Raise where the table that passed the checks, by its SHA-256, is not the one that is there now."""
    if checked != data_sha256(workspace.dataset):
        raise PipelineError(
            f"{workspace.folder}: the checks were passed by another table than {workspace.dataset.source.path} is now; "
            "train from the start: python -m train"
        )


def held(workspace: Workspace) -> Judgement | None:
    """The judgement of this version on these files, if `judgement.json` has it."""
    try:
        judgement = workspace.read_json(FILE, Judgement)
    except (PipelineError, msgspec.DecodeError):
        return None
    same = judgement.version == workspace.version and judgement.files == digests(workspace, JUDGED)
    return judgement if same else None


def _stale(workspace: Workspace, problem: str, stage: str) -> PipelineError:
    return PipelineError(
        f"{workspace.folder / 'evidence.json'}: {problem}; measure again: python -m train {stage} "
        f"--dataset {workspace.dataset_path} --model {workspace.model_path} --gates {workspace.gates_path}"
    )
