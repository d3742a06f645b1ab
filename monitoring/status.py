"""How many rows are served, logged, profiled and pending.

Owns: counting. Leaves to others: making the counts agree (profiler). Counting works while service and profiler run. It
reads the whole log each time, because it must show that every row can still be read back: 0.4 us per row in batches of
64, 1 us per encrypted row.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from monitoring.records import checkpoint
from monitoring.records.checkpoint import GroupCount
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import read_lines, segments


class Status(msgspec.Struct, frozen=True):
    """Row counts over all models and segments.

    Attributes:
        served: rows scored and written, by the sequence numbers; a torn last line was never served.
        logged: rows that can be read back; fewer than `served` where a line is damaged.
        profiled: rows in the committed profiles.
        pending: rows that can be read back and are not in the profiles yet.

    Rows of segments that were deleted after being profiled, archived or not, still count as served, logged and
    profiled. Rows that were answered without being logged (`when_log_fails: score`) are not counted.
    """

    served: int = 0
    logged: int = 0
    profiled: int = 0
    pending: int = 0


class LogInspection(NamedTuple):
    """The result of reading the log; `undecryptable` rows are encrypted with a key that was not given."""

    status: Status
    undecryptable: int


def count(directory: Path, keys: LogKeys = NO_KEYS) -> Status:
    """Count the rows under `directory`; all counts are zero if nothing has been logged."""
    return inspect_log(directory, keys).status


def inspect_log(directory: Path, keys: LogKeys = NO_KEYS) -> LogInspection:
    """Count the rows, and those among them whose checksum is right but whose key is missing."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    paths = segments(directory)
    deleted = [done.segments[name] for name in done.segments.keys() - {path.name for path in paths}]
    pending = undecryptable = served = logged = 0
    for path in paths:
        position = done.position(path)
        lines = keys.lines(path)
        last, readable, new = position.sequence, 0, 0
        for row_range, end in read_lines(path, 0, lines.row_range):
            last = max(last, row_range.sequence + row_range.rows)
            readable += row_range.rows
            new += row_range.rows if end > position.offset else 0
        if not path.exists():  # deleted while it was read, which happens only after it has been profiled
            deleted.append(position)
            continue
        served, logged, pending = served + last, logged + readable, pending + new
        undecryptable += lines.undecryptable_rows
    served += sum(position.sequence for position in deleted)
    logged += sum(position.rows for position in deleted)
    return LogInspection(Status(served, logged, done.rows, pending), undecryptable)


class Profiled(NamedTuple):
    """Rows in the committed profiles, and those of audited groups by model, column, group and decision."""

    rows: int
    groups: dict[GroupCount, int]


def profiled(directory: Path) -> Profiled:
    """Count the rows in the committed profiles; reads one small file, so a metric can call it."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    return Profiled(done.rows, {GroupCount.of_key(key): number for key, number in done.group_decisions.items()})
