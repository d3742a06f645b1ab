"""At most one profiler for a folder of profiles.

Owns: the lock file. Leaves to others: what is done under it. The kernel drops the lock with its process, however
that ends, so nothing is ever stale.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class ProfilerLock:
    """`<profiles>/profiler.lock`, held by the process that may commit."""

    def __init__(self, profiles: Path) -> None:
        self._path = profiles / "profiler.lock"
        self._descriptor = -1

    def acquire(self) -> bool:
        """Take the lock if it is free; True when this process holds it now."""
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
        """Whether this process has the lock; not any more once somebody deleted the folder underneath."""
        return self._descriptor >= 0 and os.fstat(self._descriptor).st_nlink > 0

    def release(self) -> None:
        """Let another have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "ProfilerLock":
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.release()
