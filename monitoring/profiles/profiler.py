"""Follows the decision log and puts each of its rows into the profiles exactly once.

Owns: how much one commit takes, when to continue and when to stop. Leaves to others: reading (segments), sorting and
counting (windows, profile), the commit (checkpoint), mutual exclusion (locks), starting the process (process).

Nothing that counts is kept in memory between commits, so a kill costs at most the work since the last one.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from monitoring.profiles import files
from monitoring.profiles.group_decisions import GroupDecisions
from monitoring.profiles.stopping import wait_for_stop
from monitoring.profiles.windows import Windows, Written
from monitoring.records import checkpoint, private
from monitoring.records.checkpoint import Checkpoint, Position
from monitoring.records.cipher import KeyMissing
from monitoring.records.durable import sync_data
from monitoring.records.lines import LoggedBatch, RowRange
from monitoring.records.locks import ProfilerLock
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import is_closed, read_lines, segments, size_bytes

COMMIT_S = 1.0  # seconds of work per commit while there is a backlog; a commit takes 10 to 30 ms
MAX_PROFILES = 16  # profiles per commit, about 0.2 MB each: bounds memory while a backlog of many windows is profiled
UPKEEP_S = 60.0  # seconds between two runs of the upkeep, which seals what a killed worker has left
RETRY_S = 5.0  # seconds to wait after a commit failed on the disk

_log = logging.getLogger(__name__)


class PendingCommit(NamedTuple):
    """What one commit will change: the profiles and their checkpoint; `has_more` if some rows did not fit."""

    files: dict[Path, bytes]
    checkpoint: Checkpoint
    has_more: bool


class Profiler:
    """Puts rows from the log into the profiles; the caller must hold the lock.

    Args:
        directory: that holds the records.
        window_s: length of a window, seconds.
        frame_rows: rows passed to whylogs at once.
        keys: of the decision log.
        least_window_rows: of a profile; fewer are held back until there are more.
        sync_log: whether a commit waits until the rows that it counts are on disk, so that a power failure leaves no
            profile with rows that the log has lost.

    Attributes:
        undecryptable: segments whose rows stay pending because their key is missing, with the error of each.
    """

    def __init__(
        self,
        directory: Path,
        window_s: int,
        frame_rows: int,
        keys: LogKeys = NO_KEYS,
        *,
        least_window_rows: int = 1,
        sync_log: bool = False,
    ) -> None:
        self._directory = directory
        self._keys = keys
        self._least_window_rows, self._sync_log = least_window_rows, sync_log
        self.undecryptable: dict[str, KeyMissing] = {}
        self._profiles = checkpoint.profiles_directory(directory)
        self._window_s, self._frame_rows = window_s, frame_rows
        private.make_folder(self._profiles)
        checkpoint.recover(self._profiles, checkpoint.load(self._profiles).generation)
        if resealed := files.reseal(directory, keys):
            _log.info("profiles encrypted with the first key of the log: %d", resealed)
        self._done = checkpoint.load(self._profiles)
        self._written: dict[Path, Written] = {}
        self._ends: dict[str, int] = {}  # sizes of closed segments with no more rows: a seal is not one

    def advance(self) -> bool:
        """Commit the pending rows, or as many as one commit takes; return whether there are more."""
        work = self.collect()
        if work.files:
            if self._sync_log:
                changed = work.checkpoint.segments.items() - self._done.segments.items()
                sync_data(self._directory / "decisions" / name for name, _ in changed)
            checkpoint.prepare(work.files, work.checkpoint.generation)
            checkpoint.commit(self._profiles, work.checkpoint)
            checkpoint.publish(work.files, work.checkpoint.generation)
            self._done = work.checkpoint
        return work.has_more

    def collect(self) -> PendingCommit:
        """Read and count the next rows without writing anything."""
        groups = GroupDecisions(self._directory)
        windows = Windows(
            self._profiles,
            self._window_s,
            self._frame_rows,
            groups,
            self._written,
            self._keys,
            self._least_window_rows,
        )
        positions: dict[str, Position] = {}
        deadline = time.monotonic() + COMMIT_S
        for segment in segments(self._directory):
            position, size = self._done.position(segment), size_bytes(segment)
            if size in (position.offset, self._ends.get(segment.name)):
                continue
            for batch, end in self._read(segment, position.offset):
                if batch.sequence != position.sequence:
                    missing = f"{position.sequence} to {batch.sequence - 1}"
                    _log.error("%s is damaged before byte %d: rows %s are lost", segment, end, missing)
                windows.add(batch)
                position = position.after(RowRange(batch.sequence, len(batch.rows)), end)
                positions[segment.name] = position
                if time.monotonic() > deadline or len(windows) >= MAX_PROFILES:
                    return PendingCommit(windows.files(), self._next(positions, groups), has_more=True)
            if not {segment.name} & (positions.keys() | self.undecryptable.keys()) and is_closed(segment):
                self._ends[segment.name] = size
        return PendingCommit(windows.files(), self._next(positions, groups), has_more=False)

    def _next(self, positions: Mapping[str, Position], groups: GroupDecisions) -> Checkpoint:
        """Return the checkpoint of the next commit."""
        return self._done.next(positions, groups.added_to(self._done.group_decisions), bool(self._keys))

    def _read(self, segment: Path, offset: int) -> Iterator[tuple[LoggedBatch, int]]:
        """Iterate over new batches; a segment whose key is missing is logged once and skipped."""
        try:
            yield from read_lines(segment, offset, self._keys.lines(segment).logged_batch)
        except KeyMissing as error:
            if segment.name not in self.undecryptable:
                _log.error("%s", error)
            self.undecryptable[segment.name] = error


def run(
    directory: Path,
    window_s: int,
    frame_rows: int,
    interval_s: float,
    parent_pipe: IO[str] | None,
    keys: LogKeys = NO_KEYS,
    upkeep: Callable[[], None] | None = None,
    index: Callable[[], bool] | None = None,
    *,
    least_window_rows: int = 1,
    sync_log: bool = False,
) -> None:
    """Follow the log until a stop signal, or until `parent_pipe` ends (stopping); then profile what is pending.

    While another process holds the lock, wait until it exits. The caller must have blocked the stop signals. The holder
    of the lock calls `upkeep` at the start and every minute, and `index`, as long as it returns True, when idle.
    """
    make = functools.partial(
        Profiler, directory, window_s, frame_rows, keys, least_window_rows=least_window_rows, sync_log=sync_log
    )
    profiler: Profiler | None = None
    next_upkeep_s = 0.0
    with ProfilerLock(checkpoint.profiles_directory(directory)) as lock:
        wait_s = 0.0
        while not wait_for_stop(wait_s, parent_pipe):
            try:
                if not lock.held:
                    private.make_folder(checkpoint.profiles_directory(directory))
                    profiler = make() if lock.acquire() else None
                    if profiler:
                        _log.info("profiling %s", directory)
                wait_s = 0.0 if profiler and profiler.advance() else interval_s
                if upkeep and profiler and time.monotonic() >= next_upkeep_s:
                    next_upkeep_s = time.monotonic() + UPKEEP_S
                    upkeep()
                if index and profiler and wait_s and index():
                    wait_s = 0.0
            except OSError as error:
                _log.error("cannot write profiles: %s; retrying in %g s", error, RETRY_S)
                lock.release()  # only the disk tells how far the failed commit got
                wait_s = RETRY_S
    try:
        done = catch_up(
            directory, window_s, frame_rows, keys=keys, least_window_rows=least_window_rows, sync_log=sync_log
        )
    except KeyMissing:  # logged in `_read`
        done = False
    if not done:
        _log.warning("exiting with pending rows; the next profiler or `python -m monitoring catch-up` profiles them")
    _log.info("stopped, %d rows in profiles", checkpoint.load(checkpoint.profiles_directory(directory)).rows)


def catch_up(
    directory: Path,
    window_s: int,
    frame_rows: int,
    timeout_s: float = 60.0,
    keys: LogKeys = NO_KEYS,
    *,
    least_window_rows: int = 1,
    sync_log: bool = False,
) -> bool:
    """Wait until every row logged before this call is in a published profile; return False on timeout.

    Profiles the rows itself. While another process holds the lock, waits for it, and takes over when it exits.

    Raises:
        KeyMissing: some rows are encrypted with another key; all others are profiled.
    """
    deadline = time.monotonic() + timeout_s
    targets = _log_ends(directory, keys)
    with ProfilerLock(checkpoint.profiles_directory(directory)) as lock:
        while not _reached(directory, targets):
            if time.monotonic() > deadline:
                return False
            private.make_folder(checkpoint.profiles_directory(directory))
            if lock.acquire():
                profiler = Profiler(
                    directory, window_s, frame_rows, keys, least_window_rows=least_window_rows, sync_log=sync_log
                )
                while profiler.advance() and time.monotonic() < deadline:
                    pass
                if profiler.undecryptable:
                    raise next(iter(profiler.undecryptable.values()))
            else:
                time.sleep(0.05)
    return True


def _log_ends(directory: Path, keys: LogKeys) -> dict[Path, int]:
    """Return the end of the last good line of each segment with rows to profile."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    ends = {}
    for segment in segments(directory):
        offset = done.position(segment).offset
        if size_bytes(segment) > offset:
            for _, end in read_lines(segment, offset, keys.lines(segment).row_range):
                ends[segment] = end
    return ends


def _reached(directory: Path, targets: Mapping[Path, int]) -> bool:
    """Return whether every row up to `targets` is in a published profile; deleted segments do not count."""
    folder = checkpoint.profiles_directory(directory)
    done = checkpoint.load(folder)
    behind = any(done.position(segment).offset < end and segment.exists() for segment, end in targets.items())
    return not behind and not checkpoint.unpublished(folder, done.generation)
