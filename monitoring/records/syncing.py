"""When what was appended to the decision log is on disk, and not in the memory of the kernel alone.

Owns: the descriptors that still have to be synced, and syncing them. Leaves to others: appending (decision_log), and
which rows wait for it (serving.scoring).

A failed `fdatasync` is a lost write: the kernel drops what it could not write and calls the next attempt a success, so
nothing is synced a second time. The segment ends there instead, and the next batch begins another.
"""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from monitoring.records.durable import sync_path

_log = logging.getLogger(__name__)


class Unsynced:
    """What one log has written and not synced; not locked, its log does that.

    Descriptors here are kept open and closed after they have been synced, so a segment that is full does not hold its
    successor up. Until then the segment counts as being written (segments.is_closed).
    """

    def __init__(self) -> None:
        self._ended: list[int] = []
        self._paths: set[Path] = set()
        self._written = False

    @property
    def idle(self) -> bool:
        """Whether all that was written is on disk or being synced."""
        return not (self._written or self._ended or self._paths)

    def begun(self, *paths: Path) -> None:
        """Note the files and folders that a new segment has changed."""
        self._paths.update(paths)

    def wrote(self, *paths: Path) -> None:
        """Note that the current segment has grown, and what has changed with it."""
        self._written = True
        self._paths.update(paths)

    def end(self, descriptor: int) -> bool:
        """Take over the descriptor of a segment that gets no more lines; return False if nothing is to be synced."""
        if not self._written:
            return False
        self._ended.append(descriptor)
        self._written = False
        return True

    def take(self, current: int) -> "Work":
        """Return what is to be synced now and forget it; `current` is the descriptor of the open segment, or -1."""
        descriptors, paths = self._ended, self._paths
        if self._written and current >= 0:
            descriptors = [*descriptors, os.dup(current)]
        self._ended, self._paths, self._written = [], set(), False
        return Work(descriptors, paths)


class Work:
    """What is to be synced, once.

    Args:
        descriptors: of segments; closed afterwards.
        paths: of files and folders.
    """

    def __init__(self, descriptors: list[int], paths: set[Path]) -> None:
        self._descriptors, self._paths = descriptors, paths

    def do(self) -> None:
        """Return when all of it is on disk.

        Raises:
            OSError: some of it may never be.
        """
        try:
            for descriptor in self._descriptors:
                os.fdatasync(descriptor)
            for path in self._paths:
                sync_path(path)
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)


class IntervalSync:
    """A thread that syncs again and again, in the process of the log.

    Args:
        sync: syncs what has been written; raises when some of it may be lost.
        interval_ms: between the end of one and the begin of the next.
    """

    def __init__(self, sync: Callable[[], None], interval_ms: int) -> None:
        self._sync, self._interval_s = sync, interval_ms / 1000
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decision-log-sync", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread, after a sync that has begun."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._interval_s):
            report_loss(self._sync)


def report_loss(sync: Callable[[], None]) -> None:
    """Sync for rows that have been answered already; an error is logged, as nobody is there to be told."""
    try:
        sync()
    except Exception as error:  # noqa: BLE001 - a thread, or a service that stops, must outlive a bad disk
        _log.error("rows that were answered may be lost if the power fails now: %s", error)
