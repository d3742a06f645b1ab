"""Who may read the records: the user of the service, and nobody else of the machine.

Owns: the modes of files and folders, and finding those of an earlier version or of a copy that are wider. Leaves to
others: what is in them. A folder above the records that exists already, such as a volume, keeps its mode.
"""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

FILE, FOLDER = 0o600, 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SUFFIXES = (".log", ".lock", ".journal")
_OUTCOMES = ("outcomes.db", "outcomes.db-wal", "outcomes.db-shm")
_FOLDERS = ("decisions", "archive", "explanations", "batch", "ids", "models", "profiles", "audits", "monitor")

_log = logging.getLogger("bentoml.scorer")


def make_folder(folder: Path) -> None:
    """Create a folder with its missing parents, all private; make an existing one of this user private."""
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        if not folder.parent.exists():
            make_folder(folder.parent)
        folder.mkdir(mode=FOLDER, exist_ok=True)
    else:
        if mode & _OTHERS:
            _tighten(folder, mode)


def tighten(directory: Path) -> list[Path]:
    """Take the rights of others from the records in `directory`; return, and log, those that cannot be changed."""
    wider = [(path, mode) for path, mode in _modes(directory) if mode & _OTHERS]
    left = [path for path, mode in wider if not _tighten(path, mode)]
    if len(wider) > len(left):
        _log.warning("%s: others could read %d files or folders of the records", directory, len(wider) - len(left))
    if left:
        _log.warning(
            "others can read %s, and %d more of the records, which user %d may not change; use chmod or chown",
            left[0],
            len(left) - 1,
            os.geteuid(),
        )
    return left


def _modes(directory: Path) -> Iterator[tuple[Path, int]]:
    """The records with their modes: the folders and what is in them, and the files beside them."""
    paths = [path for path in directory.glob("*") if path.suffix in _SUFFIXES or path.name in (*_OUTCOMES, *_FOLDERS)]
    for top in paths:
        for path in (top, *(top.rglob("*") if top.name in _FOLDERS else ())):
            try:
                found = path.lstat().st_mode
            except FileNotFoundError:  # retention, or a commit
                continue
            if not stat.S_ISLNK(found):
                yield path, found


def _tighten(path: Path, mode: int) -> bool:
    """Return whether others have no rights now."""
    try:
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except OSError:
        return False
    return True
