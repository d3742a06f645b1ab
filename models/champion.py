"""Which version of a model is the champion: a file beside the versions in the BentoML store, like BentoML's `latest`.

Owns that file and the meaning of the version `champion` in a tag. Leaves who may change it to `train.registry`.
"""

import os
from pathlib import Path

ALIAS = "champion"


def champion(versions: Path) -> str | None:
    """The champion's version; without the file, the only version if there is just one.

    Args:
        versions: the folder of a model's versions in the store.
    """
    try:
        return (versions / ALIAS).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        found = [path.name for path in versions.iterdir() if path.is_dir()] if versions.is_dir() else []
        return found[0] if len(found) == 1 else None


def set_champion(versions: Path, version: str) -> None:
    """Make `version` the champion."""
    temporary = versions / f".{ALIAS}.{os.getpid()}"
    temporary.write_text(f"{version}\n", encoding="utf-8")
    temporary.replace(versions / ALIAS)
