"""How many rows are where: the four numbers that must agree.

Owns: counting. Leaves to others: making them agree (profiler). Counts while service and profiler run, by reading
the whole log anew: that every row can still be read back is what it is asked. 0.6 us a row.
"""

from pathlib import Path

import msgspec

from monitoring import checkpoint
from monitoring.records import decode_extent
from monitoring.segments import read_lines, segments


class Status(msgspec.Struct, frozen=True):
    """Rows of all models and segments.

    Attributes:
        served: were scored and written, as the sequence numbers tell; a torn last line never was.
        logged: can be read back; fewer than `served` where a line is damaged.
        profiled: are in the committed profiles.
        pending: can be read back, and are not yet in the profiles.

    Rows of segments that were deleted after they had been profiled keep counting as served, logged and profiled.
    """

    served: int = 0
    logged: int = 0
    profiled: int = 0
    pending: int = 0


def count(directory: Path) -> Status:
    """Count the rows under `directory`; all zero when there is nothing yet."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    paths = segments(directory)
    gone = [done.segments[name] for name in done.segments.keys() - {path.name for path in paths}]
    served = sum(position.sequence for position in gone)
    logged = sum(position.rows for position in gone)
    pending = 0
    for path in paths:
        position = done.position(path)
        last = position.sequence
        for extent, end in read_lines(path, 0, decode_extent):
            last = max(last, extent.sequence + extent.rows)
            logged += extent.rows
            pending += extent.rows if end > position.offset else 0
        served += last
    return Status(served, logged, done.rows, pending)


def profiled_rows(directory: Path) -> int:
    """Count the rows in the committed profiles; reads one small file, for a metric."""
    return checkpoint.load(checkpoint.profiles_directory(directory)).rows
