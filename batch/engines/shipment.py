"""What a process of another machine needs to score a part, as one value that can be pickled.

Owns the model as bytes, unpacked where the folder of the job is not there; the settings of `configs/batch.yaml` that
the environment of the driver overrides; and the versions of the packages that scores depend on, so that a machine with
other ones refuses instead of scoring otherwise. Credentials are never part of it: each machine has its own. Leaves code
to the engines, which ship `code_folder`.
"""

import io
import os
import platform
import secrets
import shutil
import tempfile
import zipfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from batch.errors import BatchError
from batch.job import Job, Part, PartSummary
from batch.output import Output
from configs.batch import Batch
from models.artifact import MANIFEST, sha256

ROOT = Path(__file__).parents[2]
CODE = ("batch", "configs", "models", "monitoring")  # what scoring a part imports of ours
DECISIVE = ("onnxruntime", "numpy", "pyarrow", "msgspec", "whylogs")  # another version may change a value or a file


class Shipment(NamedTuple):
    """One per run.

    Attributes:
        job: as the engine got it.
        model: files of the artifact, zipped: one or two MB.
        settings: variables of the environment, SCORER_…, by name.
        versions: of Python and the packages of `DECISIVE`, by name.
    """

    job: Job
    model: bytes
    settings: dict[str, str]
    versions: dict[str, str]


def pack(job: Job) -> Shipment:
    """The shipment of a job, on the machine that has the model."""
    content = io.BytesIO()
    folder = Path(job.artifact)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    names = (f"SCORER_{field.upper()}" for field in Batch.__struct_fields__)
    return Shipment(
        job, content.getvalue(), {name: os.environ[name] for name in names if name in os.environ}, versions()
    )


def score(shipment: Shipment, part: Part) -> PartSummary:
    """Score a part, on any machine."""
    if wrong := differences(shipment.versions, versions()):
        node = platform.node()
        raise BatchError(f"{node} has {wrong}; install there what requirements/ pins (docs/batch-engines.md)")
    os.environ.update(shipment.settings)
    from batch.part import score_part  # a second of imports, for which nobody but a worker has to wait

    return score_part(replace(shipment.job, artifact=_folder(shipment)), part)


def attempt(shipment: Shipment, part: Part) -> tuple[PartSummary | None, str]:
    """The summary of a part, or why there is none; an engine would send an exception with its whole stack."""
    try:
        return score(shipment, part), ""
    except Exception as error:  # noqa: BLE001 - the engine tells it
        return None, str(error) or type(error).__name__


def summary_of(job: Job, content: bytes) -> PartSummary:
    """What a worker sent, in the driver; raises `BatchError` where the driver does not see the scores of that part."""
    from batch.part import scores_name

    summary = msgspec.json.decode(content, type=PartSummary)
    file = Output(job.out).open(scores_name(summary.number))
    if file is None:
        problem = f"{job.out}: a worker wrote {scores_name(summary.number)} where this machine does not see it"
        raise BatchError(f"{problem}; give an --out on s3://, or a folder that every machine mounts")
    file.close()
    return summary


def code_folder(beside: Path) -> Path:
    """A copy of our code, and nothing else, in a folder of that one."""
    folder = beside / "credit-scorer"
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "drafts"))
    return folder


@cache
def versions() -> dict[str, str]:
    """Those of this process; empty for what is not installed."""

    def of(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return ""

    return {"Python": ".".join(platform.python_version_tuple()[:2])} | {name: of(name) for name in DECISIVE}


def differences(wanted: dict[str, str], found: dict[str, str]) -> str:
    """What differs, in words; empty where nothing does.

    >>> differences({"numpy": "2.4.6", "msgspec": "0.22"}, {"numpy": "2.5.0", "msgspec": ""})
    'numpy 2.5.0 and not 2.4.6, no msgspec (0.22 here)'
    """
    told = []
    for name, here in wanted.items():
        there = found.get(name, "")
        if there != here:
            told.append(f"{name} {there} and not {here}" if there else f"no {name} ({here} here)")
    return ", ".join(told)


def _folder(shipment: Shipment) -> str:
    """The folder of the model: that of the job where this machine has it, else a copy in its temporary folder.

    The name of the copy has its digest, which `batch.part` compares with the files, whoever has written them.
    """
    job = shipment.job
    manifest = Path(job.artifact) / MANIFEST
    if manifest.is_file() and sha256(manifest.read_bytes()) == job.digest:
        return job.artifact
    copy = Path(tempfile.gettempdir()) / f"credit-scorer-{os.getuid()}" / "models" / job.digest
    if not copy.is_dir():
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = copy.with_name(f"{copy.name}.{os.getpid()}-{secrets.token_hex(4)}")
        with zipfile.ZipFile(io.BytesIO(shipment.model)) as archive:
            archive.extractall(making)
        try:
            making.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(making, ignore_errors=True)
    return str(copy)
