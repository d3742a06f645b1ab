"""How many rows are where: the four numbers that must agree.

Owns: counting. Leaves to others: making them agree (profiler). Counts while service and profiler run, by reading
the whole log anew: that every row can still be read back is what it is asked. 0.4 us a row in batches of 64, encrypted
ones 1.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from monitoring.records import checkpoint
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import read_lines, segments


class Status(msgspec.Struct, frozen=True):
    """Rows of all models and segments.

    Attributes:
        served: were scored and written, as the sequence numbers tell; a torn last line never was.
        logged: can be read back; fewer than `served` where a line is damaged.
        profiled: are in the committed profiles.
        pending: can be read back, and are not yet in the profiles.

    Rows of segments that were deleted after they had been profiled, archived or not, keep counting as served, logged
    and profiled. Rows that were answered without being logged (`when_log_fails: score`) are no part of this.
    """

    served: int = 0
    logged: int = 0
    profiled: int = 0
    pending: int = 0


class LogInspection(NamedTuple):
    """What a reading of the log has found; `undecryptable` rows are encrypted with a key that was not given."""

    status: Status
    undecryptable: int


def count(directory: Path, keys: LogKeys = NO_KEYS) -> Status:
    """Count the rows under `directory`; all zero when there is nothing yet."""
    return inspect_log(directory, keys).status


def inspect_log(directory: Path, keys: LogKeys = NO_KEYS) -> LogInspection:
    """Count the rows, and those of which only the checksum says that they can be read back, for want of the key."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    paths = segments(directory)
    gone = [done.segments[name] for name in done.segments.keys() - {path.name for path in paths}]
    pending = undecryptable = served = logged = 0
    for path in paths:
        position = done.position(path)
        lines = keys.lines(path.name)
        last, good, new = position.sequence, 0, 0
        for row_range, end in read_lines(path, 0, lines.row_range):
            last = max(last, row_range.sequence + row_range.rows)
            good += row_range.rows
            new += row_range.rows if end > position.offset else 0
        if not path.exists():  # deleted meanwhile, and nothing is that was not profiled
            gone.append(position)
            continue
        served, logged, pending, undecryptable = (
            served + last,
            logged + good,
            pending + new,
            undecryptable + lines.undecryptable_rows,
        )
    served += sum(position.sequence for position in gone)
    logged += sum(position.rows for position in gone)
    return LogInspection(Status(served, logged, done.rows, pending), undecryptable)


def profiled_rows(directory: Path) -> int:
    """Count the rows in the committed profiles; reads one small file, for a metric."""
    return checkpoint.load(checkpoint.profiles_directory(directory)).rows
