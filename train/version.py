"""The version of a model, known before training: a digest of everything that determines its bytes.

Imports nothing heavy, so that checking for an existing model does not import PyTorch.
"""

import subprocess
from importlib.metadata import version as installed
from pathlib import Path

import msgspec

from configs.dataset import Dataset
from configs.gates import Gates
from configs.model import ModelConfig
from models.artifact import content_version, sha256
from train.errors import TableError
from train.tables.files import files_of

ROOT = Path(__file__).parents[1]
CODE = {  # every module that `train.pipeline` reaches, by folder; a test compares
    "configs": "checks dataset dates feature gates model policy source",
    "models": "application_ids artifact background champion deciding encoding errors explanation points reasons "
    "schema scorer spelling validation",
    "monitoring/drift": "distributions statistics",
    "monitoring/profiles": "profile whylogs_compat",
    "monitoring/records": "lines locks",
    "signatures": "chain dsse keys model promotions",
    "train": "calibration check console customers errors evaluate exclusive export fit gate outcomes pipeline "
    "population publish registry rounding split stakes tracking version vintages workspace",
    "train/alternatives": "record results section",
    "train/checks": "data_report expectations exploration html leaks population quality",
    "train/evaluation": "candidates consequences cross_validation estimate evidence fairness figures fingerprints "
    "folding numbers openings paired proportion reasons referrals resampling results savings scoring substitution "
    "vintages walk",
    "train/gating": "champion judgement leaks verdicts",
    "train/network": "adamw budget credit_network fused inputs layout look monotone onnx_graph scorecard_network "
    "weights",
    "train/publishing": "approval background markdown model_card points_table policy_text population_section "
    "promotions reference seen_rows store",
    "train/scorecard": "binning learning",
    "train/tables": "beside column csv_file files missing numbers parquet_file reader table",
    "train/validation": "behaviour effects figures interactions outcomes results sections segments sensitivity "
    "stability",
}
MEASURES = {  # the part of it that `evidence.json` comes from; DVC's stage evaluate depends on all of it
    "models": "background deciding encoding explanation points reasons schema scorer",
    "train": "calibration customers evaluate export fit population stakes vintages",
    "train/evaluation": "candidates consequences cross_validation evidence fairness fingerprints folding paired "
    "proportion reasons referrals resampling savings scoring substitution vintages walk",
    "train/network": "adamw budget credit_network fused inputs layout monotone onnx_graph scorecard_network",
    "train/publishing": "background",
    "train/scorecard": "binning learning",
    "train/validation": "behaviour effects interactions outcomes segments sensitivity",
}
LIBRARIES = ("numpy", "onnx", "scikit-learn", "torch", "whylogs")  # whose results reach the graph


def data_sha256(dataset: Dataset) -> str:
    """SHA-256 of the table's file; of several, of their names and digests."""
    path = Path(dataset.source.path)
    files = files_of(path)
    try:
        if files == [path]:
            return sha256(path.read_bytes())
        return sha256("".join(f"{sha256(file.read_bytes())}  {file.name}\n" for file in files).encode())
    except OSError as error:
        raise TableError(path, [f"{error.strerror}; set source.path in the dataset file"]) from None


def code_files(of: dict[str, str] = CODE) -> list[Path]:
    """The modules that determine the content of an artifact, or a part of them."""
    return [ROOT / folder / f"{module}.py" for folder, modules in of.items() for module in modules.split()]


def model_version(dataset: Dataset, config: ModelConfig, baseline: ModelConfig, gates: Gates) -> str:
    """The version that training on these configs, this table and this code gives.

    The gates and their baseline count too: the model card, a part of the artifact, depends on them.
    """
    code = [path.read_bytes() for path in code_files()]
    libraries = [f"{name}=={installed(name)}".encode() for name in LIBRARIES]
    configs = [msgspec.json.encode(part) for part in (dataset, config, baseline, gates)]
    return content_version([*configs, data_sha256(dataset).encode(), *libraries, *code])


def evidence_settings(dataset: Dataset, config: ModelConfig, baseline: ModelConfig, gates: Gates) -> str:
    """SHA-256 of what, beside the files of the workspace, decides what `evidence.json` says."""
    bounds = (gates.folds, gates.repeats, gates.confidence, gates.bootstrap, gates.fairness.least_rows)
    configs = [msgspec.json.encode(part) for part in (dataset, config, baseline, bounds)]
    return sha256(b"".join(configs) + b"".join(path.read_bytes() for path in code_files(MEASURES)))


def commit() -> str:
    """The commit of this checkout, with `-dirty` if files differ from it; empty outside a repository."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        head = git("rev-parse", "HEAD")
        return f"{head}-dirty" if head and git("status", "--porcelain") else head
    except FileNotFoundError:
        return ""
