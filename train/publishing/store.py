"""The BentoML store for training: finds artifacts and the champion, and adds a version completely or not at all.

A version that is in the store is never replaced by other bytes.
"""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bentoml
import msgspec
from bentoml.exceptions import BentoMLException, NotFound

from configs.dataset import Dataset
from models import artifact
from models.artifact import Artifact, ArtifactError, Manifest
from models.champion import champion
from train.errors import PipelineError

# What answers are made of. The inputs that give a version give these bytes too (docs/decisions/0013), unlike the card,
# which has the commit on it.
ANSWERS = (artifact.MODEL, artifact.ENCODED, artifact.DATASET, artifact.BACKGROUND)
TWO_MODELS = (
    "Inputs, code and versions of libraries are the same, so one was trained on another kind of processor, or with "
    "another build of a library"
)


def home() -> Path:
    """The folder of the store: BENTOML_HOME, or the default."""
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml")


def stored(name: str, version: str) -> Artifact | None:
    """The artifact `<name>:<version>` in the store, if it exists and is intact."""
    try:
        return Artifact(_folder(f"{name}:{version}"), retrain="make train")
    except (NotFound, ArtifactError):
        return None


def versions_folder(name: str) -> Path | None:
    """The folder with the versions of a model; None if there are none."""
    try:
        return _folder(f"{name}:latest").parent
    except NotFound:
        return None


def champion_version(name: str) -> str | None:
    """The champion's version, whether it can be read or not."""
    versions = versions_folder(name)
    return champion(versions) if versions else None


def champion_of_store(name: str) -> Artifact | None:
    """The champion's artifact, if it exists and is intact."""
    version = champion_version(name)
    return stored(name, version) if version else None


def comparable_rate(found: Artifact | None, dataset: Dataset) -> float | None:
    """The share of the event among the training rows of a model; None where it is a population's, or another event's.

    Args:
        found: the model, if there is one.
        dataset: the dataset file of the rows to compare with.
    """
    if found is None:
        return None
    before = found.schema.dataset
    same = before.prior is None and before.target.event == dataset.target.event
    return found.background.base_rate if same else None


def refuse_another(name: str, version: str, files: dict[str, bytes]) -> None:
    """Raise where the store holds that version with another graph, or anything else that answers are made of."""
    found = stored(name, version)
    if found is None:
        return
    differ = [file for file in ANSWERS if found.manifest.sha256[file] != artifact.sha256(files[file])]
    if differ:
        raise PipelineError(
            f"the BentoML store has another {name}:{version}: {' and '.join(differ)} differ. {TWO_MODELS}; keep it, or "
            f"remove it and publish again: bentoml models delete {name}:{version}"
        )


def put(
    dataset: Dataset,
    version: str,
    files: dict[str, bytes],
    labels: dict[str, str],
    **about: Any,
) -> Artifact:
    """Put an artifact into the store under `<dataset name>:<version>`.

    Args:
        dataset: the dataset file.
        version: derived from content.
        files: every file of the artifact but its manifest, by name.
        labels: labels of the BentoML model.
        about: the other fields of the manifest.
    """
    refuse_another(dataset.name, version, files)
    manifest = Manifest(
        format=artifact.FORMAT,
        name=dataset.name,
        version=version,
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
        threshold=dataset.threshold,
        sha256={name: artifact.sha256(content) for name, content in files.items()},
        **about,
    )
    files = files | {artifact.MANIFEST: msgspec.json.format(msgspec.json.encode(manifest))}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        Artifact(Path(folder), retrain="make train")  # publish only what can be loaded
    tag = f"{dataset.name}:{version}"
    metadata = {key: value for key, value in msgspec.to_builtins(manifest).items() if key not in ("sha256", "example")}
    metadata = {key: value for key, value in metadata.items() if value is not None}  # BentoML takes no null
    try:
        if stored(dataset.name, version) is None:
            _discard(tag)
            with bentoml.models.create(tag, labels=labels, metadata=metadata) as model:
                for name, content in files.items():
                    Path(model.path_of(name)).write_bytes(content)
        return Artifact(Path(bentoml.models.get(tag).path), retrain="make train")
    except (BentoMLException, OSError) as error:
        raise PipelineError(f"the BentoML store did not take {tag}: {error}") from error


def _folder(tag: str) -> Path:
    """The folder of a version; raises `NotFound`, and `PipelineError` where BENTOML_HOME cannot be used."""
    try:
        return Path(bentoml.models.get(tag).path)
    except OSError as error:
        problem = f"BENTOML_HOME is {home()}, which cannot be used ({error.strerror})"
        raise PipelineError(f"{problem}; name a folder that can be made and written to") from None


def _discard(tag: str) -> None:
    """Remove a damaged model of the same tag, so that it can be replaced."""
    try:
        bentoml.models.delete(tag)
    except NotFound:
        return
