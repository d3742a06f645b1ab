"""Stage publish: the artifact into the BentoML store, whole or not at all."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median_low
from typing import Any

import bentoml
import msgspec
from bentoml.exceptions import BentoMLException, NotFound

from configs.dataset import Dataset, Feature
from models import artifact
from models.artifact import Artifact, ArtifactError, Manifest
from models.schema import Schema, optional
from train.check import Table
from train.errors import PipelineError


def stored(name: str, version: str) -> Artifact | None:
    """The artifact of that tag in the store, if there is one and it is whole."""
    try:
        return Artifact(Path(bentoml.models.get(f"{name}:{version}").path), retrain="make train")
    except (NotFound, ArtifactError):
        return None


def typical_applicant(schema: Schema, table: Table) -> dict[str, Any]:
    """Most common category and median number of each feature: an example that is nobody's record."""
    example: dict[str, Any] = {}
    for feature in schema.dataset.features:
        values = [value for value in table.columns[feature.name] if value is not None]
        if values:
            example[feature.name] = _typical(feature, values)
        elif not optional(feature):
            raise PipelineError(f"column {feature.name!r} has no value at all; leave it out of the dataset file")
    return example


def _typical(feature: Feature, values: list[Any]) -> Any:
    if feature.type == "categorical":
        return max(sorted(set(values)), key=values.count)
    middle = median_low(values)
    return int(middle) if feature.type == "integer" else middle


def publish(
    dataset: Dataset,
    version: str,
    files: dict[str, bytes],
    labels: dict[str, str],
    **about: Any,
) -> Artifact:
    """Put an artifact into the store under `<dataset name>:<version>`.

    Args:
        dataset: the dataset file.
        version: from content.
        files: every file of the artifact but its manifest, by name.
        labels: labels of the BentoML model.
        about: the rest of the manifest.
    """
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
        Artifact(Path(folder), retrain="make train")  # what cannot be loaded is not published
    tag = f"{dataset.name}:{version}"
    metadata = {key: value for key, value in msgspec.to_builtins(manifest).items() if key not in ("sha256", "example")}
    try:
        if stored(dataset.name, version) is None:
            _discard(tag)
            with bentoml.models.create(tag, labels=labels, metadata=metadata) as model:
                for name, content in files.items():
                    Path(model.path_of(name)).write_bytes(content)
        return Artifact(Path(bentoml.models.get(tag).path), retrain="make train")
    except (BentoMLException, OSError) as error:
        raise PipelineError(f"the BentoML store did not take {tag}: {error}") from error


def _discard(tag: str) -> None:
    """Remove a damaged model of the same tag, so that it can be made again."""
    try:
        bentoml.models.delete(tag)
    except NotFound:
        return
