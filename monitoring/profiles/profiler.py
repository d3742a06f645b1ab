"""The follower of the decision log: every row that is in the log goes into the profiles, once.

Owns: how much is done at a time, when to go on and when to stop. Leaves to others: reading (segments), sorting
and counting (windows, profiles), the commit (checkpoint), being alone (lock), being started (supervision).

It keeps nothing in memory between commits, so a kill costs at most the work since the last one.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from monitoring.profiles.stopping import wait_for_stop
from monitoring.profiles.windows import Windows
from monitoring.records import checkpoint
from monitoring.records.checkpoint import Checkpoint, Position
from monitoring.records.cipher import KeyMissing
from monitoring.records.lines import Batch, RowRange
from monitoring.records.locks import ProfilerLock
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import read, read_lines, segments, size_bytes

COMMIT_S = 1.0  # seconds of work between commits while there is a backlog; a commit takes 10 to 30 ms
MAX_PROFILES = 16  # profiles in one commit, of about 0.2 MB each: bounds memory when old windows are caught up with
UPKEEP_S = 3600.0  # seconds between two times of looking for what is too old
RETRY_S = 5.0  # seconds to wait when the disk refuses a commit

_log = logging.getLogger(__name__)


class PendingCommit(NamedTuple):
    """What one commit will change: profiles, the checkpoint that goes with them; `more` if some did not fit."""

    files: dict[Path, bytes]
    checkpoint: Checkpoint
    has_more: bool


class Profiler:
    """Moves rows from the log into the profiles; only for the holder of the lock.

    Args:
        directory: where records lie.
        window_s: length of a window, seconds.
        frame_rows: rows that go into whylogs at once.
        keys: that the log may be encrypted with.

    Attributes:
        undecryptable: segments whose rows stay pending, as their key is missing, each with what to do about it.
    """

    def __init__(self, directory: Path, window_s: int, frame_rows: int, keys: LogKeys = NO_KEYS) -> None:
        self._directory = directory
        self._keys = keys
        self.undecryptable: dict[str, KeyMissing] = {}
        self._profiles = checkpoint.profiles_directory(directory)
        self._window_s, self._frame_rows = window_s, frame_rows
        self._done = checkpoint.load(self._profiles)
        checkpoint.recover(self._profiles, self._done.generation)

    def advance(self) -> bool:
        """Commit what is pending, or as much as fits one commit; returns whether there is more."""
        work = self.collect()
        if work.files:
            checkpoint.prepare(work.files, work.checkpoint.generation)
            checkpoint.commit(self._profiles, work.checkpoint)
            checkpoint.publish(work.files, work.checkpoint.generation)
            self._done = work.checkpoint
        return work.has_more

    def collect(self) -> PendingCommit:
        """Read and count the next rows, without writing anything."""
        windows = Windows(self._profiles, self._window_s, self._frame_rows)
        positions: dict[str, Position] = {}
        deadline = time.monotonic() + COMMIT_S
        for segment in segments(self._directory):
            position = self._done.position(segment)
            if size_bytes(segment) == position.offset:
                continue
            for batch, end in self._read(segment, position.offset):
                if batch.sequence != position.sequence:
                    missing = f"{position.sequence} to {batch.sequence - 1}"
                    _log.error("%s is damaged before byte %d: rows %s are lost", segment, end, missing)
                windows.add(batch)
                position = position.after(RowRange(batch.sequence, len(batch.rows)), end)
                positions[segment.name] = position
                if time.monotonic() > deadline or len(windows) >= MAX_PROFILES:
                    return PendingCommit(windows.files(), self._done.next(positions), has_more=True)
        return PendingCommit(windows.files(), self._done.next(positions), has_more=False)

    def _read(self, segment: Path, offset: int) -> Iterator[tuple[Batch, int]]:
        """Go through new batches; a segment without its key is left, and told of once, and the others go on."""
        try:
            yield from read(segment, offset, self._keys)
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
) -> None:
    """Follow the log until SIGTERM or SIGINT, or until `parent_pipe` ends (stopping); then finish what is pending.

    While another process has the lock, wait for it to leave. The stop signals must have been blocked. `upkeep` is done
    at first and then every hour, by the one with the lock.
    """
    profiler: Profiler | None = None
    next_upkeep_s = 0.0
    with ProfilerLock(checkpoint.profiles_directory(directory)) as lock:
        wait_s = 0.0
        while not wait_for_stop(wait_s, parent_pipe):
            try:
                if not lock.held:
                    profiler = Profiler(directory, window_s, frame_rows, keys) if lock.acquire() else None
                    if profiler:
                        _log.info("profiling %s", directory)
                wait_s = 0.0 if profiler and profiler.advance() else interval_s
                if upkeep and profiler and time.monotonic() >= next_upkeep_s:
                    next_upkeep_s = time.monotonic() + UPKEEP_S
                    upkeep()
            except OSError as error:
                _log.error("cannot write profiles: %s; trying again in %g s", error, RETRY_S)
                lock.release()  # what is on disk, not in memory, says how far the failed commit came
                wait_s = RETRY_S
    try:
        done = catch_up(directory, window_s, frame_rows, keys=keys)
    except KeyMissing:  # told of above
        done = False
    if not done:
        _log.warning("left with rows pending; the next profiler, or `python -m monitoring catch-up`, takes them on")
    _log.info("stopped, %d rows in profiles", checkpoint.load(checkpoint.profiles_directory(directory)).rows)


def catch_up(directory: Path, window_s: int, frame_rows: int, timeout_s: float = 60.0, keys: LogKeys = NO_KEYS) -> bool:
    """See to it that every row logged by now is in a published profile; False when that took too long.

    Does the work itself, or waits while the process that has the lock does it, taking over when that leaves.

    Raises:
        KeyMissing: some of it is encrypted with another key; all else is done.
    """
    deadline = time.monotonic() + timeout_s
    targets = _log_ends(directory, keys)
    with ProfilerLock(checkpoint.profiles_directory(directory)) as lock:
        while not _reached(directory, targets):
            if time.monotonic() > deadline:
                return False
            if lock.acquire():
                profiler = Profiler(directory, window_s, frame_rows, keys)
                while profiler.advance() and time.monotonic() < deadline:
                    pass
                if profiler.undecryptable:
                    raise next(iter(profiler.undecryptable.values()))
            else:
                time.sleep(0.05)
    return True


def _log_ends(directory: Path, keys: LogKeys) -> dict[Path, int]:
    """Find the end of the last good line of each segment that has something to profile."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    ends = {}
    for segment in segments(directory):
        offset = done.position(segment).offset
        if size_bytes(segment) > offset:
            for _, end in read_lines(segment, offset, keys.lines(segment.name).row_range):
                ends[segment] = end
    return ends


def _reached(directory: Path, targets: Mapping[Path, int]) -> bool:
    """Tell whether everything up to `targets` is committed and published; what was deleted cannot be asked for."""
    folder = checkpoint.profiles_directory(directory)
    done = checkpoint.load(folder)
    behind = any(done.position(segment).offset < end and segment.exists() for segment, end in targets.items())
    return not behind and not checkpoint.unpublished(folder, done.generation)
