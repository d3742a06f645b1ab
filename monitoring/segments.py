"""The files of the decision log, read back.

Owns: where segments lie, how they are named, what of them can be trusted. Leaves to others: writing them
(decision_log), and remembering how far somebody has read (checkpoint).

A writer that dies leaves at most one torn line, at the end of its segment: that batch was never answered, so
reading stops before it. A bad line with a good one behind it is damage: reading goes on, and the next batch's
`sequence` says how many rows are missing.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from monitoring.records import Batch, decode_line

T = TypeVar("T")


def segment_path(directory: Path) -> Path:
    """Make up a path for a new segment of this process: unique, and sorted by time."""
    now = datetime.now(UTC)
    return directory / "decisions" / f"{now:%Y%m%dT%H%M%S.%fZ}-{os.getpid()}-{secrets.token_hex(4)}.log"


def segments(directory: Path) -> list[Path]:
    """List the segments under `directory`, oldest first; none when there is no log yet."""
    return sorted((directory / "decisions").glob("*.log"))


def size_bytes(segment: Path) -> int:
    """Tell how long a segment is now, a torn line at its end included; 0 when it has been deleted."""
    try:
        return segment.stat().st_size
    except FileNotFoundError:
        return 0


def read_lines(segment: Path, offset: int, decode: Callable[[bytes], T | None]) -> Iterator[tuple[T, int]]:
    """Go through the good lines from byte `offset` on, each with the offset of its end."""
    try:
        file = segment.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        for line in file:
            offset += len(line)
            decoded = decode(line)
            if decoded is not None:
                yield decoded, offset


def read(segment: Path, offset: int = 0) -> Iterator[tuple[Batch, int]]:
    """Go through the good batches from byte `offset` on, each with the offset of its end."""
    return read_lines(segment, offset, decode_line)
