"""Which model scores: a tag, or by default the one that the service would serve.

Owns finding it. Leaves the artifact to `models.artifact`, and where versions are kept to `monitoring.records`.
"""

import os
from pathlib import Path

from batch.errors import BatchError
from configs.monitoring import read_monitoring
from configs.service import read_service
from models.artifact import Artifact
from models.champion import ALIAS, champion
from monitoring.records.models_archive import VersionGone, find_model


def find(tag: str) -> Artifact:
    """The model of a tag; `name:champion`, or `name` alone, is the champion of that name."""
    name, _, version = (tag or read_service().model).partition(":")
    if version in ("", ALIAS):
        store = Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml") / "models"
        found = champion(store / name)
        if found is None:
            raise BatchError(f"{name} has no champion in {store}; train a model: make train, or give --model TAG")
        version = found
    try:
        return find_model(read_monitoring(), os.environ, f"{name}:{version}")
    except VersionGone as error:
        raise BatchError(f"{error}; train it: make train, or give another --model") from None
