"""The model artifact: the folder that training publishes and serving loads.

Owns file names, the manifest and its verification. Leaves the BentoML store to `train.publish` and `service.py`.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from configs.dataset import Dataset
from models.background import Background
from models.schema import Schema
from models.scorer import EncodedScorer, Scorer

FORMAT = 4  # raised whenever services can no longer read what older versions wrote

MODEL = "model.onnx"
ENCODED = "encoded.onnx"  # its network alone, which takes codes and numbers; the service runs this one
DATASET = "dataset.json"
REFERENCE = "reference_profile.bin"
BACKGROUND = "background.json"
METRICS = "metrics.json"
CARD = "model_card.md"
CARD_PAGE = "model_card.html"
CONFIG = "model_config.json"
MANIFEST = "manifest.json"
SEEN = "seen_rows.bin"  # beside FILES, as versions of earlier code have none, and nothing that serves reads it
FILES = (MODEL, ENCODED, DATASET, REFERENCE, BACKGROUND, METRICS, CARD, CARD_PAGE, CONFIG)


class ArtifactError(RuntimeError):
    """The service cannot serve this model; the message names the command to run."""


class Manifest(Struct, frozen=True, kw_only=True):
    """The description of an artifact; `sha256` covers every other file."""

    format: int
    name: str
    version: str
    trained_at: str  # ISO 8601, UTC
    threshold: float | None  # null where each applicant has its own, by the costs in the dataset file
    commit: str
    data_sha256: str
    dataset_config: str
    model_config: str
    mlflow_run: str
    example: dict[str, Any]  # a typical applicant: most common categories, median numbers; not a real record
    sha256: dict[str, str]


class Artifact:
    """A verified artifact.

    Attributes:
        folder: where it is.
        manifest: its description.
        schema: the compiled dataset that it was trained on.
        background: the synthetic applicants that explanations compare with.
    """

    def __init__(self, folder: Path, retrain: str) -> None:
        """Read and verify `folder`; errors name `retrain`, the command that makes a new one."""
        self.folder = folder

        def refuse(problem: str) -> ArtifactError:
            return ArtifactError(f"the model in {folder} {problem}; run: {retrain}")

        try:
            self.manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        except FileNotFoundError:
            raise refuse(f"was not made by this project's training (no {MANIFEST})") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise refuse(f"has a {MANIFEST} that this version cannot read ({error})") from None
        if self.manifest.format != FORMAT:
            raise refuse(f"has format {self.manifest.format}, and this service reads {FORMAT}")
        for name in FILES:
            try:
                found = sha256((folder / name).read_bytes())
            except OSError:
                raise refuse(f"has no {name}") from None
            if found != self.manifest.sha256.get(name):
                raise refuse(f"has a {name} that differs from its manifest")
        read = DATASET
        try:
            dataset = msgspec.json.decode((folder / read).read_bytes(), type=Dataset)
            read = BACKGROUND
            self.background = Background.decode((folder / read).read_bytes())
        except msgspec.DecodeError as error:
            raise refuse(f"has a {read} that this version cannot read ({error})") from None
        self.schema = Schema(dataset)

    @property
    def tag(self) -> str:
        """Name and version, as in responses and records."""
        return f"{self.manifest.name}:{self.manifest.version}"

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return (self.folder / CARD).read_text(encoding="utf-8")

    @property
    def card_page(self) -> str:
        """The model card, HTML."""
        return (self.folder / CARD_PAGE).read_text(encoding="utf-8")

    def scorer(self) -> Scorer:
        """A scorer on the graph that takes raw records."""
        return Scorer(self.folder / MODEL, self.schema)

    def encoded_scorer(self) -> EncodedScorer:
        """A scorer on the network alone."""
        return EncodedScorer(self.folder / ENCODED, self.schema)

    def describe(self) -> dict[str, Any]:
        """The response of `GET /model`."""
        dataset, manifest = self.schema.dataset, self.manifest
        properties = self.schema.json_schema["properties"]
        return {
            "name": manifest.name,
            "version": manifest.version,
            "dataset": {
                "name": dataset.name,
                "description": dataset.description,
                "license": dataset.source.license,
                "citation": dataset.source.citation,
            },
            "event": dataset.target.event,
            "base_rate": self.background.base_rate,
            "base_rate_of": "training rows" if dataset.prior is None else "population",
            "threshold": manifest.threshold,
            "costs": dataset.costs,
            **{key: value for key in ("score", "refer") if (value := getattr(dataset, key)) is not None},
            "features": [
                describe_feature(feature, properties[feature.name])
                | ({"required": True} if feature.protected and feature.name in dataset.costs.columns else {})
                for feature in dataset.features
            ],
            "trained_at": manifest.trained_at,
            "data_sha256": manifest.data_sha256,
            "commit": manifest.commit,
            "model_config": manifest.model_config,
            "example": manifest.example,
        }


def describe_feature(feature: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """One feature for people: its type and the values allowed."""
    shown: dict[str, Any] = {"name": feature.name, "type": feature.type, "description": feature.description}
    if feature.type == "categorical":
        shown["categories"] = feature.categories
    else:
        shown |= {"minimum": schema["minimum"], "maximum": schema["maximum"], "unit": feature.unit}
        shown |= {"monotone": feature.monotone} if feature.monotone else {}
    return shown | {"protected": feature.protected, "nullable": feature.nullable}


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def content_version(parts: Iterable[bytes]) -> str:
    """A version derived from content: the first 16 hexadecimal digits of a SHA-256 over the digests of `parts`.

    >>> content_version([b"dataset", b"model"])
    '6f9e264e8e1bce9c'
    """
    return sha256(b"".join(hashlib.sha256(part).digest() for part in parts))[:16]
