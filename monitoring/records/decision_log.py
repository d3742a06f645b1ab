"""The decision log of one service process: every scored row is written before its response is sent.

Owns: appending, and a consistent log when the disk fails. Leaves to others: the bytes of a line (lines, cipher),
reading (segments). The log holds personal data, so its files have mode 0600 and its folder 0700.

One `os.write` per batch, to an O_APPEND descriptor: when it returns, the rows are in the page cache and survive any end
of this process. What survives a power failure as well, the setting `sync` says: nothing in particular, what was written
a moment ago, or every row that was answered (syncing).
"""

import errno
import fcntl
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from configs.monitoring import Monitoring
from monitoring.records import private
from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import segment_path
from monitoring.records.syncing import IntervalSync, Unsynced, report_loss


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


class DecisionLog:
    """Appends to the log for one process; threads may share it, forked children must not.

    Args:
        directory: that holds the records; the log is its folder `decisions`.
        segment_bytes: length at which the next batch starts a new segment.
        segment_s: age in seconds at which the next batch starts a new segment.
        keys: to encrypt segments with.
        begin: whether to start the first segment now instead of at the first batch.
        sync: `none`; `interval`, in a thread of its own; or `batch`, where the caller does so with `sync`.
        sync_interval_ms: of `interval`, milliseconds.

    Attributes:
        syncs_batches: whether rows may be answered after `sync` alone.

    Raises:
        LogUnavailable: `begin` is set, and the folder cannot be created or written.
    """

    def __init__(
        self,
        directory: Path,
        segment_bytes: int,
        segment_s: float = math.inf,
        keys: LogKeys = NO_KEYS,
        begin: bool = True,
        sync: Literal["none", "interval", "batch"] = "none",
        sync_interval_ms: int = 1000,
    ) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._keys = keys
        self._encode: Callable[[Batch], bytes] = keys.encoder("")  # imports `cryptography` now, not at the first batch
        self._lock = threading.Lock()
        self._descriptor = -1
        self._path = Path()
        self._sequence = 0  # number of rows in the segment
        self._end = 0  # length of the segment in bytes, without a torn line
        self._expires_s = math.inf  # by time.monotonic, which cannot be set back
        self.syncs_batches = sync == "batch"
        self._unsynced = None if sync == "none" else Unsynced()
        self._syncing = threading.Lock()  # two at once would hide the error of one from the other
        self._sync_error: OSError | None = None  # of a sync that nobody waited for
        try:
            if begin:
                self._open()
        except OSError as error:
            raise LogUnavailable(directory / "decisions", error) from error
        self._interval = IntervalSync(self._sync_in_passing, sync_interval_ms) if sync == "interval" else None

    @classmethod
    def of(cls, settings: Monitoring, keys: LogKeys, begin: bool) -> Self:
        """The log that the monitoring file describes."""
        segment = (settings.segment_bytes, settings.segment_s)
        return cls(Path(settings.directory), *segment, keys, begin, settings.sync, settings.sync_interval_ms)

    @property
    def is_open(self) -> bool:
        """Whether there is an open segment to write to."""
        return self._descriptor >= 0

    def probe(self) -> bool:
        """Return whether a file can be created and written in the folder of the log."""
        folder = self._directory / "decisions"
        try:
            private.make_folder(folder)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"\n")
                file.flush()
                if self._unsynced:
                    os.fdatasync(file.fileno())
        except OSError:
            return False
        return True

    def append(self, model: str, rows: Sequence[Row]) -> None:
        """Log one batch. After it returns the rows may be answered; if it raises, the log is unchanged.

        Args:
            model: `<name>:<version>` that scored the rows.
            rows: of one model call, with applicants of one type; without rows nothing is written.

        Raises:
            LogUnavailable: the disk is full, read-only or gone.
        """
        if not rows:
            return
        with self._lock:
            line = b""
            try:
                if self._sync_error:
                    error, self._sync_error = self._sync_error, None
                    raise error
                if not self._usable():
                    self._close()
                    self._open()
                line = self._encode(Batch(self._sequence, datetime.now(UTC), model, rows))
                self._write(line)
            except OSError as error:
                self._roll_back()
                raise LogUnavailable(self._directory / "decisions", error) from error
            self._sequence += len(rows)
            self._end += len(line)
            if self._unsynced:
                self._unsynced.wrote()

    def sync(self) -> None:
        """Return when every row that was logged before this call is on disk; without `sync` there is nothing to do.

        Blocks for as long as the disk takes, 0.2 ms to seconds: call it in a thread.

        Raises:
            LogUnavailable: some of these rows may not be; their segment gets no more lines. They may still be read
                back as long as the machine runs: a reader may have counted them, so they are not cut off.
        """
        if not self._unsynced:
            return
        with self._syncing:
            with self._lock:
                work = self._unsynced.take(self._descriptor)
            try:
                work.do()
            except OSError as error:
                with self._lock:
                    self._abandon()
                raise LogUnavailable(self._directory / "decisions", error) from error

    def _sync_in_passing(self) -> None:
        """Sync for rows that have been answered already; if that fails, the next batch is refused, and says why."""
        try:
            self.sync()
        except LogUnavailable as error:
            self._sync_error = error.cause
            raise

    def close(self) -> None:
        """Close the segment, and remove it if it is empty; if its last rows cannot be synced, report that."""
        if self._interval:
            self._interval.end()
        with self._lock:
            self._close()
        report_loss(self.sync)

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            empty = os.fstat(descriptor).st_size == 0
            if not (self._unsynced and self._unsynced.end(descriptor)):
                os.close(descriptor)
            if empty:
                self._path.unlink(missing_ok=True)

    def _open(self) -> None:
        self._path = segment_path(self._directory)
        private.make_folder(self._path.parent)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # marks it as being written (segments)
        except OSError:
            self._close()
            raise
        self._encode = self._keys.encoder(self._path.name)
        if self._unsynced:
            self._unsynced.begin(self._path)
        self._sequence = self._end = 0
        self._expires_s = time.monotonic() + self._segment_s

    def _write(self, line: bytes) -> None:
        if os.write(self._descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, "incomplete write")

    def _usable(self) -> bool:
        """Return whether the segment takes more, still exists and is unchanged by others: one fstat, 0.5 us."""
        if self._descriptor < 0 or self._end >= self._segment_bytes or time.monotonic() >= self._expires_s:
            return False
        now = os.fstat(self._descriptor)
        return now.st_nlink > 0 and now.st_size == self._end

    def _roll_back(self) -> None:
        """Truncate an incomplete line; if that fails too, leave the torn line and start a new segment next time."""
        if self._descriptor >= 0:
            try:
                os.ftruncate(self._descriptor, self._end)
            except OSError:
                self._abandon()

    def _abandon(self) -> None:
        """Leave the segment as it is; the next batch begins another."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
