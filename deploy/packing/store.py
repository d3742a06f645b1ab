"""Where BentoML keeps models and bentos: paths alone, so that looking takes no time (importing BentoML takes seconds).

Owns the layout of the store as it is read here. Leaves writing to BentoML.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from deploy.packing.errors import PackingError

SERVICE = "credit_scorer"  # the name of every bento: that of the service in service.py
MANIFEST = "manifest.json"

TAG = re.compile(r"[a-z0-9_]+:[a-z0-9][a-z0-9._-]*")


def home() -> Path:
    """The folder of the store: BENTOML_HOME, or the default."""
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml").absolute()


def model_folder(tag: str) -> Path:
    """The folder of the model `<name>:<version>`."""
    if not TAG.fullmatch(tag):
        raise PackingError(f"{tag!r} is not the tag of a model; give <name>:<version>, as `bentoml models list` has it")
    folder = home() / "models" / tag.replace(":", "/")
    if not (folder / MANIFEST).is_file():
        raise PackingError(f"no model {tag} in the BentoML store {home()}; run: make train")
    return folder


def manifest(model: Path) -> dict[str, Any]:
    """The manifest of a model: who made it, when, of what."""
    try:
        found: dict[str, Any] = json.loads((model / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise PackingError(f"{model / MANIFEST}: cannot be read ({error}); run: make train") from None
    return found


def bento_folder(version: str) -> Path:
    """The folder of the bento of that version, whether it is there or not."""
    return home() / "bentos" / SERVICE / version
