"""Reads the files of the decision log.

Owns: the paths and names of segments and archives, which lines are valid, which segments are closed. Leaves to others:
writing (decision_log), remembering how far a reader got (checkpoint).

A writer that dies leaves at most one torn line, at the end of its segment. Its batch was never answered, so reading
stops before it. A bad line before a good one is damage: reading continues, and the `sequence` of the next batch shows
how many rows are missing.
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

EXPLANATIONS = "explanations"  # the folder of the log of explanations, which has the form of the log beside it
BATCH = "batch"  # likewise, of the rows of batch runs that were to be archived
BESIDE = (EXPLANATIONS, BATCH)  # logs whose rows nobody profiles
T = TypeVar("T")


def explanations_directory(directory: Path) -> Path:
    """Return the directory of the log of explanations of the records in `directory`."""
    return directory / EXPLANATIONS


def batch_directory(directory: Path) -> Path:
    """Return the directory of the log of batch runs of the records in `directory`."""
    return directory / BATCH


def logs_beside(directory: Path) -> list[Path]:
    """Return the directories of the logs beside that of decisions, as far as there are any."""
    return [directory / name for name in BESIDE if (directory / name / "decisions").exists()]


def logs(directory: Path) -> list[Path]:
    """Return the directories of the logs that there are, that of decisions first."""
    return [path for path in (directory, *logs_beside(directory)) if path.exists()]


def segment_path(directory: Path) -> Path:
    """Return the path of a new segment of this process; paths are unique and sort by time."""
    now = datetime.now(UTC)
    return directory / "decisions" / f"{now:%Y%m%dT%H%M%S.%fZ}-{os.getpid()}-{secrets.token_hex(4)}.log"


def segments(directory: Path) -> list[Path]:
    """Return the segments under `directory`, oldest first; empty if there is no log yet."""
    return sorted((directory / "decisions").glob("*.log"))


def size_bytes(segment: Path) -> int:
    """Return the current length of a segment, including a torn last line; 0 if it has been deleted."""
    try:
        return segment.stat().st_size
    except FileNotFoundError:
        return 0


def read_lines(segment: Path, offset: int, decode: Callable[[bytes], T | None]) -> Iterator[tuple[T, int]]:
    """Iterate over the valid lines after byte `offset`, each with the offset of its end."""
    try:
        file = segment.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):  # torn or still being written; its rest must not be read as a line
                return
            offset += len(line)
            decoded = decode(line)
            if decoded is not None:
                yield decoded, offset


def read(segment: Path, offset: int = 0, keys: LogKeys = NO_KEYS) -> Iterator[tuple[Batch, int]]:
    """Iterate over the valid batches after byte `offset`, each with the offset of its end.

    Raises:
        KeyMissing: a batch is encrypted with a key that is not in `keys`.
    """
    return read_lines(segment, offset, keys.lines(segment).batch)


def is_closed(segment: Path) -> bool:
    """Return whether the writer of a segment has closed it or is dead; do not ask about a new, empty segment.

    A writer locks its segment before it writes the first byte, and the kernel releases the lock when the process ends.
    A closed segment is never reopened.
    """
    try:
        with segment.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def archive_path(directory: Path, segment: Path) -> Path:
    """Return the path of the archive of a segment; its folder names the day, in UTC, on which the segment was started.

    >>> archive_path(Path("var"), Path("20261121T040000.123456Z-7-5d41402a.log")).as_posix()
    'var/archive/begun=2026-11-21/20261121T040000.123456Z-7-5d41402a.parquet'
    """
    name = segment.name
    return directory / "archive" / f"begun={name[:4]}-{name[4:6]}-{name[6:8]}" / f"{segment.stem}.parquet"


def archives(directory: Path) -> list[Path]:
    """Return the archives under `directory`, oldest first."""
    return sorted((directory / "archive").glob("*/*.parquet"))


def next_path(archive: Path) -> Path:
    """Return the path at which the new content of an archive is written before it is renamed."""
    return archive.with_suffix(".parquet.next")
