"""The decision log of one service process: every scored row is written before its response is sent.

Owns: appending, and a consistent log when the disk fails or others interfere. Leaves to others: the bytes of a line
(line_encoding, cipher), the head and the seal of a segment (proof), reading (segments). The log holds personal data, so
its files have mode 0600 and its folder 0700.

One `os.write` per batch, to an O_APPEND descriptor: when it returns, the rows are in the page cache and survive any end
of this process. There is no fsync, so a power failure may lose the last seconds; at 20,000 rows/s anything safer would
cost the service its speed.
"""

import errno
import fcntl
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from monitoring.records.file_watch import FileWatch
from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.proof.segment_proof import SegmentProof
from monitoring.records.segments import segment_path

_log = logging.getLogger("bentoml.scorer")


class LogUnavailable(Exception):  # noqa: N818 - a temporary state of the log
    """The rows are not in the log, so they must not be answered; the caller may retry later.

    Args:
        folder: of the log.
        error: from the operating system.
    """

    def __init__(self, folder: Path, error: OSError) -> None:
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

    Attributes:
        lost_segments: number of segments that others have removed or changed while they were written.
        lost_at_s: when the last of them was noticed, by `time.monotonic`.

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
    ) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._keys = keys
        keys.encoder("")  # imports `cryptography` now, not at the first batch
        self._lock = threading.Lock()
        self._descriptor = -1
        self._path = Path()
        self._sequence = 0  # number of rows in the segment
        self._proof: SegmentProof | None = None  # of the open segment
        self._end = 0  # length of the segment in bytes, without a torn line
        self._expires_s = math.inf  # by time.monotonic, which cannot be set back
        self._watch: FileWatch | None = None
        self.lost_segments = 0
        self.lost_at_s = -math.inf
        try:
            if begin:
                self._proof = self._open()
        except OSError as error:
            raise LogUnavailable(directory / "decisions", error) from error

    @property
    def is_open(self) -> bool:
        """Whether there is an open segment to write to."""
        return self._descriptor >= 0

    def probe(self) -> bool:
        """Return whether a file can be created and written in the folder of the log."""
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
            try:
                self._look()
                if self._proof is None or self._descriptor < 0 or self._is_full():
                    self._close()
                    self._proof = self._open()
                self._proof.record_begun()
                batch = Batch(self._sequence, datetime.now(UTC), model, rows)
                line = self._proof.encode(batch)
                self._write(line)
            except OSError as error:
                self._roll_back()
                raise LogUnavailable(self._directory / "decisions", error) from error
            self._proof.written(batch)
            self._sequence += len(rows)
            self._end += len(line)

    def look(self) -> None:
        """Look whether the open segment is still there and unchanged by others, as each `append` does."""
        with self._lock:
            self._look(now=True)

    def close(self) -> None:
        """Seal and close the segment, or remove it if it is empty."""
        with self._lock:
            self._look()
            self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                if self._sequence == 0:
                    if self._proof is None or self._proof.record_dropped():
                        self._path.unlink(missing_ok=True)
                elif self._proof:
                    self._seal(descriptor, self._proof)
            finally:
                os.close(descriptor)

    def _seal(self, descriptor: int, proof: SegmentProof) -> None:
        """End the segment with its seal; on a full disk, upkeep does it later."""
        line = proof.seal()
        try:
            before = os.fstat(descriptor)
            if os.write(descriptor, line) == len(line):
                # The age of a file is that of its newest row (retention).
                os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
                proof.record_sealed()
            else:
                os.ftruncate(descriptor, self._end)
        except OSError as error:
            _log.warning("%s is sealed later: %s", self._path, error)

    def _open(self) -> SegmentProof:
        self._path = segment_path(self._directory)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sequence = self._end = 0
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # marks it as being written (segments)
            self._watch = FileWatch(self._path, self._descriptor)
            proof = SegmentProof(self._directory, self._path.name, self._keys)
        except OSError:
            self._close()
            raise
        self._expires_s = time.monotonic() + self._segment_s
        return proof

    def _write(self, line: bytes) -> None:
        if os.write(self._descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, "incomplete write")

    def _is_full(self) -> bool:
        return self._end >= self._segment_bytes or time.monotonic() >= self._expires_s

    def _look(self, now: bool = False) -> None:
        """Leave a segment that others have removed or changed, and say so at once; the next batch starts a new one."""
        if self._descriptor < 0 or self._watch is None or not (change := self._watch.change(self._end, now)):
            return
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
        if self._sequence and self._proof:
            self.lost_segments += 1
            self.lost_at_s = time.monotonic()
            _log.error(
                "%s %s while it was written; %d rows that were answered may be lost: "
                "`python -m monitoring verify` names what is broken",
                self._path,
                change,
                self._sequence,
            )
            self._proof.record_removed()

    def _roll_back(self) -> None:
        """Truncate an incomplete line; if that fails too, leave the torn line and start a new segment next time."""
        if self._descriptor >= 0:
            try:
                os.ftruncate(self._descriptor, self._end)
            except OSError:
                os.close(self._descriptor)
                self._descriptor = -1
