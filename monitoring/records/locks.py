"""Locks: at most one profiler per folder of profiles, and at most one process that compacts, erases or deletes.

Owns: the lock files. Leaves to others: what is done under a lock. The kernel releases a lock when its process ends for
any reason, so a lock is never stale.
"""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """A lock file that at most one process holds; creates its folder if that is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def acquire(self, timeout_s: float = 0.0) -> bool:
        """Take the lock if it is free or becomes free within `timeout_s` seconds; return whether it is held."""
        deadline = time.monotonic() + timeout_s
        while not self._try() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.held

    def _try(self) -> bool:
        if self.held:
            return True
        self.release()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
        return self.held

    @property
    def held(self) -> bool:
        """Whether this process holds the lock; False after the lock file was deleted."""
        return self._descriptor >= 0 and os.fstat(self._descriptor).st_nlink > 0

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.release()


class ProfilerLock(FileLock):
    """`<profiles>/profiler.lock`; its holder may commit profiles."""

    def __init__(self, profiles: Path) -> None:
        super().__init__(profiles / "profiler.lock")


class UpkeepLock(FileLock):
    """`<directory>/upkeep.lock`; its holder may change or delete what has been logged."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "upkeep.lock")
