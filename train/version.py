"""The version of a model, before it is trained: a digest of everything that decides its bytes.

Imports nothing heavy, so that asking "is it there already?" costs no import of PyTorch.
"""

import subprocess
from importlib.metadata import version as installed
from pathlib import Path

import msgspec

from configs.dataset import Dataset
from configs.model import ModelConfig
from models.artifact import content_version, sha256
from train.errors import TableError

ROOT = Path(__file__).parents[1]
CODE = (
    "configs/*.py",
    "models/*.py",
    "monitoring/profiles.py",
    "monitoring/records.py",
    "monitoring/whylogs_compat.py",
    "train/*.py",
)
LIBRARIES = ("numpy", "onnx", "scikit-learn", "torch", "whylogs")  # those whose numbers reach the graph


def data_sha256(dataset: Dataset) -> str:
    """SHA-256 of the table's file."""
    path = Path(dataset.source.path)
    try:
        return sha256(path.read_bytes())
    except OSError as error:
        raise TableError(path, [f"{error.strerror}; set source.path in the dataset file"]) from None


def model_version(dataset: Dataset, config: ModelConfig) -> str:
    """The version that training on these configs, this table and this code gives."""
    code = [path.read_bytes() for pattern in CODE for path in sorted(ROOT.glob(pattern))]
    libraries = [f"{name}=={installed(name)}".encode() for name in LIBRARIES]
    configs = [msgspec.json.encode(dataset), msgspec.json.encode(config)]
    return content_version([*configs, data_sha256(dataset).encode(), *libraries, *code])


def commit() -> str:
    """The commit of this checkout, with `-dirty` where files differ from it; empty outside a repository."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        head = git("rev-parse", "HEAD")
        return f"{head}-dirty" if head and git("status", "--porcelain") else head
    except FileNotFoundError:
        return ""
