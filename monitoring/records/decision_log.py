"""The decision log of one service process: every scored row is written before its response is sent.

Owns: appending, and a consistent log when the disk fails or others interfere. Leaves to others: the bytes of a line
(line_encoding, cipher), the head and the seal of a segment (proof), reading (segments). The log holds personal data, so
its files have mode 0600 and its folder 0700.

One `os.write` per batch, to an O_APPEND descriptor: when it returns, the rows are in the page cache and survive any end
of this process. What survives a power failure as well, the setting `sync` says: nothing in particular, what was written
a moment ago, or every row that was answered (syncing).
"""

import errno
import fcntl
import math
import os
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from configs.monitoring import Monitoring
from monitoring.records import log_place, private
from monitoring.records.file_watch import FileWatch
from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.log_place import LogUnavailable
from monitoring.records.proof.chain import chain_path
from monitoring.records.proof.segment_proof import SegmentProof
from monitoring.records.segments import segment_path
from monitoring.records.syncing import IntervalSync, Unsynced, report_loss


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
        sync: Literal["none", "interval", "batch"] = "none",
        sync_interval_ms: int = 1000,
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
        self.syncs_batches = sync == "batch"
        self._unsynced = None if sync == "none" else Unsynced()
        self._syncing = threading.Lock()  # two at once would hide the error of one from the other
        self._sync_error: OSError | None = None  # of a sync that nobody waited for
        try:
            if begin:
                self._proof = self._open()
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
        return log_place.probe(self._directory, synced=self._unsynced is not None)

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
                if self._sync_error:
                    error, self._sync_error = self._sync_error, None
                    raise error
                self._look()
                if self._proof is None or self._descriptor < 0 or self._is_full():
                    self._close()
                    self._proof = self._open()
                if not self._proof.begun:
                    self._proof.record_begun()
                batch = Batch(self._sequence, datetime.now(UTC), model, rows)
                self._write(line := self._proof.encode(batch))
            except OSError as error:
                self._roll_back()
                raise LogUnavailable(self._directory / "decisions", error) from error
            self._proof.written(batch)
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

    def look(self) -> None:
        """Look whether the open segment is still there and unchanged by others, as each `append` does."""
        with self._lock:
            self._look(now=True)

    def close(self) -> None:
        """Seal and close the segment, or remove it if it is empty; if its last rows cannot be synced, report that."""
        if self._interval:
            self._interval.end()
        with self._lock:
            self._look()
            self._close()
        report_loss(self.sync)

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                if self._sequence == 0:
                    if self._proof is None or self._proof.record_dropped():
                        self._path.unlink(missing_ok=True)
                elif self._proof and self._proof.end(descriptor, self._end) and self._unsynced:
                    self._unsynced.wrote(chain_path(self._directory))
            finally:
                self._let_go(descriptor)

    def _let_go(self, descriptor: int) -> None:
        """Close a segment that gets no more lines, once what was written since the last sync is synced too."""
        if not (self._unsynced and self._unsynced.end(descriptor)):
            os.close(descriptor)

    def _open(self) -> SegmentProof:
        self._path, self._proof = segment_path(self._directory), None  # a failure is none of the segment before
        private.make_folder(self._path.parent)
        self._sequence = self._end = 0
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # marks it as being written (segments)
            self._watch = FileWatch(self._path, self._descriptor)
            proof = SegmentProof(self._directory, self._path.name, self._keys)
        except OSError:
            self._close()
            raise
        if self._unsynced:
            # The name of a segment is in its folder, whose own name is in another.
            self._unsynced.begun(self._path.parent, self._directory, chain_path(self._directory))
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
            self._watch.report(change, self._sequence)
            self._proof.record_removed()

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
            self._let_go(descriptor)
