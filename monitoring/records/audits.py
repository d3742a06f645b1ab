"""The audited groups of a model, kept beside its records, so that decisions can be counted by group without the model.

Owns: `audits/<name>/<version>.json` and which group a value is in. Leaves to others: counting (profiles), what the
counts say. The service writes the file when it starts; who reads the records later need not find the artifact.
"""

import logging
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from configs.dataset import Audit
from monitoring.records import private

_log = logging.getLogger("bentoml.scorer")


def write_audits(directory: Path, model: str, audits: Sequence[Audit]) -> None:
    """Keep the audits of a model; where that fails, its decisions are not counted by group, and the log says so."""
    path = _path(directory, model)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        private.make_folder(path.parent)
        temporary.touch(private.FILE)
        temporary.write_bytes(msgspec.json.encode(audits))
        temporary.replace(path)
    except OSError as error:
        _log.warning("%s: cannot be written (%s); decisions are not counted by group", path, error.strerror)


def read_audits(directory: Path, model: str) -> tuple[Audit, ...]:
    """The audits of a model; none where its file is missing or of another version."""
    try:
        return msgspec.json.decode(_path(directory, model).read_bytes(), type=tuple[Audit, ...])
    except (OSError, msgspec.DecodeError):
        return ()


def group_finder(audit: Audit) -> Callable[[Any], str]:
    """A function from a value to its group; empty for a value that is missing or in no group.

    >>> find = group_finder(Audit(column="age", edges=(25, 60)))
    >>> find(19), find(25), find(60), find(None)
    ('under 25', '25 to 60', '60 and over', '')
    """
    if not audit.edges:
        group_of: dict[Any, str] = {category: name for name, found in audit.groups.items() for category in found}
        return lambda value: group_of.get(value, "")
    edges = [f"{edge:g}" for edge in audit.edges]
    names = [f"under {edges[0]}", *(f"{low} to {high}" for low, high in pairwise(edges)), f"{edges[-1]} and over"]

    def find(value: Any) -> str:
        if value is None or value != value:
            return ""
        place: int = sum(value >= edge for edge in audit.edges)
        return names[place]

    return find


def _path(directory: Path, model: str) -> Path:
    name, _, version = model.partition(":")
    return directory / "audits" / quote(name, safe="") / f"{quote(version, safe='')}.json"
