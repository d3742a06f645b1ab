"""Whether a file that only this process may write is still as it left it.

Owns: what counts as a change, and how often the name is looked for. Leaves to others: what follows (decision_log).
"""

import logging
import math
import os
import time
from pathlib import Path

LOOK_S = 1.0  # seconds between two looks for the name

_log = logging.getLogger("bentoml.scorer")


class FileWatch:
    """Watches one open file.

    Args:
        path: its name.
        descriptor: of the file.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        self._next_look_s = -math.inf

    def change(self, size: int, look: bool = False) -> str:
        """What others have done to the file; empty if nothing. One fstat, 0.5 us, and every second one look more.

        Args:
            size: length in bytes as this process left it.
            look: whether to look for the name in any case.
        """
        now = os.fstat(self._descriptor)
        if now.st_nlink == 0:
            return "was removed"
        if now.st_size != size:
            return f"has {now.st_size} bytes instead of {size}"
        if time.monotonic() < self._next_look_s and not look:
            return ""
        try:
            found = self._path.stat()
        except OSError:  # not there, or its folder is something else now, or closed to this process
            return "was moved away"
        if found.st_ino != now.st_ino:
            return "was replaced"
        self._next_look_s = time.monotonic() + LOOK_S
        return ""

    def report(self, change: str, rows: int) -> None:
        """Log what others have done to a file of so many rows."""
        consequence = "that were answered may be lost: `python -m monitoring verify` names what is broken"
        _log.error("%s %s while it was written; %d rows %s", self._path, change, rows, consequence)
