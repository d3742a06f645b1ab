"""How far the decision log and the profiles are, without reading again what has been profiled.

Owns: these numbers. Leaves to others: counting every row anew (`monitoring.status`, which reads the whole log), what is
too much (record_findings). Only the pending end of the log is read: 0.4 us per row in batches of 64.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from monitoring.records import checkpoint
from monitoring.records.checkpoint import Position
from monitoring.records.cipher import KeyMissing
from monitoring.records.log_keys import LogKeys
from monitoring.records.segments import archives, read_lines, segments

BEGAN = "%Y%m%dT%H%M%S.%fZ"  # the first part of the name of a segment


class LogState(NamedTuple):
    """The state of the records.

    Attributes:
        lost: rows that were answered and cannot be read back.
        pending: rows that are logged and not profiled.
        oldest_pending: when the first of these was logged.
        newest: when the newest row was logged, or the log was opened; None if there is no log.
    """

    lost: int
    pending: int
    oldest_pending: datetime | None
    newest: datetime | None


def log_state(directory: Path, keys: LogKeys) -> LogState:
    """Look at the records in `directory`, while the service and the profiler run."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    paths = segments(directory)
    here = {path.name for path in paths}
    lost = sum(position.sequence - position.rows for name, position in done.segments.items() if name not in here)
    pending, oldest = 0, list[datetime]()
    for path in paths:
        position = done.position(path)
        rows, end = _after(path, position, keys)
        if rows:
            pending += rows
            oldest.append(_first_time(path, position.offset, keys))
        lost += end - position.rows - rows
    times = [datetime.fromtimestamp(time_s, UTC) for path in (*paths, *archives(directory)) if (time_s := _mtime(path))]
    return LogState(max(lost, 0), pending, min(oldest, default=None), max(times, default=None))


def _after(path: Path, position: Position, keys: LogKeys) -> tuple[int, int]:
    """The readable rows after a position, and the number of rows that the segment has had."""
    rows, end = 0, position.sequence
    for row_range, _ in read_lines(path, position.offset, keys.lines(path).row_range):
        rows += row_range.rows
        end = max(end, row_range.sequence + row_range.rows)
    return rows, end


def _first_time(path: Path, offset: int, keys: LogKeys) -> datetime:
    """When the first row after `offset` was logged; where its key is missing, when the segment was begun."""
    try:
        for batch, _ in read_lines(path, offset, keys.lines(path).logged_batch):
            return batch.time
    except KeyMissing:
        pass
    return datetime.strptime(path.name.split("-")[0], BEGAN).replace(tzinfo=UTC)


def _mtime(path: Path) -> float:
    """When a file was written last, which is when its newest row was logged; 0 if it has just been deleted."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
