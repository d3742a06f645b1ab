"""The files of the decision log, read back.

Owns: where segments and archives lie, how they are named, what of them can be trusted, which of them nobody writes
any more. Leaves to others: writing them (decision_log), and remembering how far somebody has read (checkpoint).

A writer that dies leaves at most one torn line, at the end of its segment: that batch was never answered, so
reading stops before it. A bad line with a good one behind it is damage: reading goes on, and the next batch's
`sequence` says how many rows are missing.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from monitoring.records.lines import Batch
from monitoring.records.log_keys import NO_KEYS, LogKeys

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
            if not line.endswith(b"\n"):  # torn, or still being written: to go on would take its rest for a line
                return
            offset += len(line)
            decoded = decode(line)
            if decoded is not None:
                yield decoded, offset


def read(segment: Path, offset: int = 0, keys: LogKeys = NO_KEYS) -> Iterator[tuple[Batch, int]]:
    """Go through the good batches from byte `offset` on, each with the offset of its end.

    Raises:
        KeyMissing: a batch is encrypted with a key that is not in `keys`.
    """
    return read_lines(segment, offset, keys.lines(segment.name).batch)


def is_closed(segment: Path) -> bool:
    """Whether its writer is done with a segment, or dead; not to be asked of one that is empty and new.

    A writer holds a lock on its segment from before the first byte on, and the kernel drops that with the process.
    A segment that was closed is never opened again.
    """
    try:
        with segment.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def archive_path(directory: Path, segment: Path) -> Path:
    """Tell where the rows of a segment go: the folder says on which day, in UTC, the segment was begun.

    >>> archive_path(Path("var"), Path("20261121T040000.123456Z-7-5d41402a.log")).as_posix()
    'var/archive/begun=2026-11-21/20261121T040000.123456Z-7-5d41402a.parquet'
    """
    name = segment.name
    return directory / "archive" / f"begun={name[:4]}-{name[4:6]}-{name[6:8]}" / f"{segment.stem}.parquet"


def archives(directory: Path) -> list[Path]:
    """List the archives under `directory`, oldest first."""
    return sorted((directory / "archive").glob("*/*.parquet"))


def next_path(archive: Path) -> Path:
    """Tell where the new content of an archive is written before it takes its name."""
    return archive.with_suffix(".parquet.next")
