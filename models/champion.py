"""Which version of a model is the champion: a file beside the versions in the BentoML store, like BentoML's `latest`.

Owns that file, the one place that says who is champion, and the meaning of the version `champion` in a tag. Leaves who
may change it, and the record of changes, to `train.registry`.
"""

import os
from pathlib import Path

ALIAS = "champion"


def champion(versions: Path, apart_from: str = "") -> str | None:
    """The champion's version; without the file, the only version if there is just one.

    Args:
        versions: the folder of a model's versions in the store.
        apart_from: a version that is too new to be the only one.
    """
    named = named_champion(versions)
    if named is not None:
        return named
    found = [path.name for path in versions.iterdir() if path.is_dir()] if versions.is_dir() else []
    found = [version for version in found if version != apart_from]
    return found[0] if len(found) == 1 else None


def named_champion(versions: Path) -> str | None:
    """The version that the file names, or None without the file."""
    try:
        return (versions / ALIAS).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def set_champion(versions: Path, version: str) -> None:
    """Make `version` the champion."""
    temporary = versions / f".{ALIAS}.{os.getpid()}"
    temporary.write_text(f"{version}\n", encoding="utf-8")
    temporary.replace(versions / ALIAS)
