"""The decision log of one service process: every scored row, on its way to disk before its answer leaves.

Owns: appending, and staying right when the disk does not. Leaves to others: the bytes of a line (records, cipher),
reading (segments). Personal data lies here and nowhere else, so files are 0600 and their folder 0700.

One `os.write` on an O_APPEND descriptor a batch: once it has returned, the page cache has the rows, and they
outlive this process whatever happens to it. There is no fsync: losing the machine's power may lose the last
seconds, at 20,000 rows/s the price of anything safer would be the service.
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

from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import segment_path


class LogUnavailable(Exception):  # noqa: N818 - a state of the log that passes
    """The rows are not in the log, so they must not be answered; the caller may try again later.

    Args:
        folder: of the log.
        error: what the operating system said.
    """

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(f"{folder}: cannot be written ({error.strerror or error}); give it room and rights")


def check_place(directory: Path) -> None:
    """Raise `LogUnavailable` where no log can ever be made: something is in the way, or it is not ours to write."""
    place = (directory / "decisions").absolute()
    while not place.exists():
        if place.is_symlink():
            break
        place = place.parent
    if not place.is_dir():
        raise LogUnavailable(directory / "decisions", NotADirectoryError(errno.ENOTDIR, f"{place} is no directory"))
    if not os.access(place, os.W_OK | os.X_OK):
        raise LogUnavailable(directory / "decisions", PermissionError(errno.EACCES, f"{place} is not writable"))


class DecisionLog:
    """Append-only log of one process; threads may share it, forked children must not.

    Args:
        directory: where records lie; the log is its folder `decisions`.
        segment_bytes: a segment that has reached this length is followed by a new one.
        segment_s: so is one of this age in seconds, at the next batch.
        keys: what segments are encrypted with.
        begin: whether to begin a segment now, or with the first batch.

    Raises:
        LogUnavailable: the folder cannot be made or written, found out at start if `begin` says so.
    """

    def __init__(
        self,
        directory: Path,
        segment_bytes: int,
        segment_s: float = math.inf,
        keys: LogKeys = NO_KEYS,
        begin: bool = True,
    ) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._keys = keys
        self._encode: Callable[[Batch], bytes] = keys.encoder("")  # imports now what the first batch would wait for
        self._lock = threading.Lock()
        self._descriptor = -1
        self._path = Path()
        self._sequence = 0  # rows in the segment
        self._end = 0  # bytes in the segment, all of them good
        self._expires_s = math.inf  # by time.monotonic, which nobody sets back
        try:
            if begin:
                self._open()
        except OSError as error:
            raise LogUnavailable(directory / "decisions", error) from error

    @property
    def is_open(self) -> bool:
        """Whether there is a segment to write to."""
        return self._descriptor >= 0

    def probe(self) -> bool:
        """Whether a file can be made and written where the log lies."""
        folder = self._directory / "decisions"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"\n")
                file.flush()
        except OSError:
            return False
        return True

    def append(self, model: str, rows: Sequence[Row]) -> None:
        """Log one batch; when this returns the rows may be answered, when it raises the log is as before.

        Args:
            model: `<name>:<version>` that scored the rows.
            rows: of one call of the model, their applicants of one type; none is no line.

        Raises:
            LogUnavailable: disk full, read-only, gone.
        """
        if not rows:
            return
        with self._lock:
            line = b""
            try:
                if not self._usable():
                    self._close()
                    self._open()
                line = self._encode(Batch(self._sequence, datetime.now(UTC), model, rows))
                self._write(line)
            except OSError as error:
                self._undo()
                raise LogUnavailable(self._directory / "decisions", error) from error
            self._sequence += len(rows)
            self._end += len(line)

    def close(self) -> None:
        """Close the segment, and remove it if nothing was ever written to it."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            empty = os.fstat(descriptor).st_size == 0
            os.close(descriptor)
            if empty:
                self._path.unlink(missing_ok=True)

    def _open(self) -> None:
        self._path = segment_path(self._directory)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # tells that it is being written (segments)
        except OSError:
            self._close()
            raise
        self._encode = self._keys.encoder(self._path.name)
        self._sequence = self._end = 0
        self._expires_s = time.monotonic() + self._segment_s

    def _write(self, line: bytes) -> None:
        if os.write(self._descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, "only a part was written")

    def _usable(self) -> bool:
        """Tell whether the segment has room and time, a name, and is as this process left it: one fstat, 0.5 us."""
        if self._descriptor < 0 or self._end >= self._segment_bytes or time.monotonic() >= self._expires_s:
            return False
        now = os.fstat(self._descriptor)
        return now.st_nlink > 0 and now.st_size == self._end

    def _undo(self) -> None:
        """Cut a half-written line off; where even that fails the torn line stays, and the segment with it is left."""
        if self._descriptor >= 0:
            try:
                os.ftruncate(self._descriptor, self._end)
            except OSError:
                os.close(self._descriptor)
                self._descriptor = -1
