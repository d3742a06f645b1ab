"""The follower of the decision log: every row that is in the log goes into the profiles, once.

Owns: how much is done at a time, when to go on and when to stop. Leaves to others: reading (segments), sorting
and counting (windows, profiles), the commit (checkpoint), being alone (lock), being started (supervision).

It keeps nothing in memory between commits, so a kill costs at most the work since the last one.
"""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

from monitoring import checkpoint
from monitoring.checkpoint import Checkpoint, Position
from monitoring.lock import ProfilerLock
from monitoring.records import Extent, decode_extent
from monitoring.segments import read, read_lines, segments, size_bytes
from monitoring.stopping import stopped
from monitoring.windows import Windows

COMMIT_S = 1.0  # seconds of work between commits while there is a backlog; a commit takes 10 to 30 ms
MAX_PROFILES = 16  # profiles in one commit, of about 0.2 MB each: bounds memory when old windows are caught up with
RETRY_S = 5.0  # seconds to wait when the disk refuses a commit

_log = logging.getLogger(__name__)


class Work(NamedTuple):
    """What one commit will change: profiles, the checkpoint that goes with them; `more` if some did not fit."""

    files: dict[Path, bytes]
    following: Checkpoint
    more: bool


class Profiler:
    """Moves rows from the log into the profiles; only for the holder of the lock.

    Args:
        directory: where records lie.
        window_s: length of a window, seconds.
        frame_rows: rows that go into whylogs at once.
    """

    def __init__(self, directory: Path, window_s: int, frame_rows: int) -> None:
        self._directory = directory
        self._profiles = checkpoint.profiles_directory(directory)
        self._window_s, self._frame_rows = window_s, frame_rows
        self._done = checkpoint.load(self._profiles)
        checkpoint.recover(self._profiles, self._done.generation)

    def advance(self) -> bool:
        """Commit what is pending, or as much as fits one commit; returns whether there is more."""
        work = self.collect()
        if work.files:
            checkpoint.prepare(work.files, work.following.generation)
            checkpoint.commit(self._profiles, work.following)
            checkpoint.publish(work.files, work.following.generation)
            self._done = work.following
        return work.more

    def collect(self) -> Work:
        """Read and count the next rows, without writing anything."""
        windows = Windows(self._profiles, self._window_s, self._frame_rows)
        positions: dict[str, Position] = {}
        deadline = time.monotonic() + COMMIT_S
        for segment in segments(self._directory):
            position = self._done.position(segment)
            if size_bytes(segment) == position.offset:
                continue
            for batch, end in read(segment, position.offset):
                if batch.sequence != position.sequence:
                    missing = f"{position.sequence} to {batch.sequence - 1}"
                    _log.error("%s is damaged before byte %d: rows %s are lost", segment, end, missing)
                windows.add(batch)
                position = position.after(Extent(batch.sequence, len(batch.rows)), end)
                positions[segment.name] = position
                if time.monotonic() > deadline or len(windows) >= MAX_PROFILES:
                    return Work(windows.files(), self._done.next(positions), more=True)
        return Work(windows.files(), self._done.next(positions), more=False)


def run(directory: Path, window_s: int, frame_rows: int, interval_s: float, leash: IO[str] | None) -> None:
    """Follow the log until SIGTERM or SIGINT, or until `leash` ends (stopping); then finish what is pending.

    While another process has the lock, wait for it to leave. The stop signals must have been blocked.
    """
    profiler: Profiler | None = None
    with ProfilerLock(checkpoint.profiles_directory(directory)) as lock:
        wait_s = 0.0
        while not stopped(wait_s, leash):
            try:
                if not lock.held:
                    profiler = Profiler(directory, window_s, frame_rows) if lock.acquire() else None
                    if profiler:
                        _log.info("profiling %s", directory)
                wait_s = 0.0 if profiler and profiler.advance() else interval_s
            except OSError as error:
                _log.error("cannot write profiles: %s; trying again in %g s", error, RETRY_S)
                lock.release()  # what is on disk, not in memory, says how far the failed commit came
                wait_s = RETRY_S
    if not catch_up(directory, window_s, frame_rows):
        _log.warning("left with rows pending; the next profiler, or `python -m monitoring catch-up`, takes them on")
    _log.info("stopped, %d rows in profiles", checkpoint.load(checkpoint.profiles_directory(directory)).rows)


def catch_up(directory: Path, window_s: int, frame_rows: int, timeout_s: float = 60.0) -> bool:
    """See to it that every row logged by now is in a published profile; False when that took too long.

    Does the work itself, or waits while the process that has the lock does it, taking over when that leaves.
    """
    deadline = time.monotonic() + timeout_s
    targets = _ends(directory)
    with ProfilerLock(checkpoint.profiles_directory(directory)) as lock:
        while not _reached(directory, targets):
            if time.monotonic() > deadline:
                return False
            if lock.acquire():
                profiler = Profiler(directory, window_s, frame_rows)
                while profiler.advance() and time.monotonic() < deadline:
                    pass
            else:
                time.sleep(0.05)
    return True


def _ends(directory: Path) -> dict[Path, int]:
    """Find the end of the last good line of each segment that has something to profile."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    ends = {}
    for segment in segments(directory):
        offset = done.position(segment).offset
        if size_bytes(segment) > offset:
            for _, end in read_lines(segment, offset, decode_extent):
                ends[segment] = end
    return ends


def _reached(directory: Path, targets: Mapping[Path, int]) -> bool:
    """Tell whether everything up to `targets` is committed and published; what was deleted cannot be asked for."""
    folder = checkpoint.profiles_directory(directory)
    done = checkpoint.load(folder)
    behind = any(done.position(segment).offset < end and segment.exists() for segment, end in targets.items())
    return not behind and not checkpoint.unpublished(folder, done.generation)
