"""Whether there is a place for the decision log, before a row needs it and after one could not be written.

Owns the error of a log that cannot be written. Leaves to others: writing it (decision_log).
"""

import errno
import os
import tempfile
from pathlib import Path

from monitoring.records import private


class LogUnavailable(Exception):  # noqa: N818 - a temporary state of the log
    """The rows are not in the log, so they must not be answered; the caller may retry later.

    Args:
        folder: of the log.
        error: from the operating system.
    """

    def __init__(self, folder: Path, error: OSError) -> None:
        self.cause = error
        super().__init__(f"{folder}: cannot be written ({error.strerror or error}); check free space and permissions")


def check_place(directory: Path) -> None:
    """Raise `LogUnavailable` if no log can be created: the path is taken by a file, or not writable."""
    place = (directory / "decisions").absolute()
    while not place.exists():
        if place.is_symlink():
            break
        place = place.parent
    if not place.is_dir():
        raise LogUnavailable(directory / "decisions", NotADirectoryError(errno.ENOTDIR, f"{place} is not a directory"))
    if not os.access(place, os.W_OK | os.X_OK):
        raise LogUnavailable(directory / "decisions", PermissionError(errno.EACCES, f"{place} is not writable"))


def probe(directory: Path, synced: bool) -> bool:
    """Return whether a file can be created, written and, if `synced`, brought to the disk in the folder of the log."""
    folder = directory / "decisions"
    try:
        private.make_folder(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\n")
            file.flush()
            if synced:
                os.fdatasync(file.fileno())
    except OSError:
        return False
    return True
