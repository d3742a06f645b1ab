"""Segments into archives: what is closed and wholly profiled becomes Parquet, and its segment is deleted.

Owns: which segments, and the order that a kill cannot harm. Leaves to others: Parquet (archive), being alone (upkeep).

    1. `<name>.parquet.next`, synced      a kill leaves a leftover, deleted by the next run
    2. renamed to `<name>.parquet`        a kill leaves both: the next run makes the same archive again
    3. the segment is deleted             its rows keep counting, by the profiler's checkpoint
"""

from pathlib import Path
from typing import NamedTuple

from monitoring.records import checkpoint
from monitoring.records.checkpoint import Checkpoint
from monitoring.records.durable import sync_folders
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archive_path, is_closed, next_path, read_lines, segments, size_bytes


class Compaction(NamedTuple):
    """What a run has done, in segments and rows, and how many segments it has left.

    Attributes:
        segments: that were archived.
        rows: in them.
        written: segments that are still being written.
        pending: segments with rows that are in no profile yet.
        damaged: segments of which not every row that was profiled can be read any more; they are kept.
    """

    segments: int = 0
    rows: int = 0
    still_open: int = 0
    pending: int = 0
    damaged: int = 0


def compact(directory: Path, keys: LogKeys = NO_KEYS, plain: bool = False) -> Compaction:
    """Archive what can be; only for the holder of the lock, after `recover` (journal).

    Args:
        directory: where records lie.
        keys: to read segments with; the first one encrypts the archives.
        plain: write plain Parquet although there are keys.

    Raises:
        KeyMissing: a segment is encrypted with another key.
        OSError: the disk is full; what has been archived is whole, and everything else is as it was.
    """
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    secret = None if plain or not keys else keys.secrets[0]
    result = Compaction()
    for segment in segments(directory):
        if size_bytes(segment) == 0:
            continue
        if not is_closed(segment):
            result = result._replace(still_open=result.still_open + 1)
        elif not is_profiled(segment, done, keys):
            result = result._replace(pending=result.pending + 1)
        elif (rows := _archive(directory, segment, done.position(segment).rows, keys, secret)) is None:
            result = result._replace(damaged=result.damaged + 1)
        else:
            result = result._replace(segments=result.segments + 1, rows=result.rows + rows)
    return result


def is_profiled(segment: Path, done: Checkpoint, keys: LogKeys) -> bool:
    """Whether every row that can be read in a closed segment is in a committed profile."""
    lines = keys.lines(segment.name)
    return next(read_lines(segment, done.position(segment).offset, lines.row_range), None) is None


def _archive(directory: Path, segment: Path, rows: int, keys: LogKeys, secret: bytes | None) -> int | None:
    """Archive one segment that holds so many rows; None, and nothing done, when they are not there."""
    from monitoring.records import archive

    path = archive_path(directory, segment)
    temporary = next_path(path)
    for folder in (path.parent.parent, path.parent):
        if not folder.exists():
            folder.mkdir(mode=0o700)
            sync_folders([folder])
    try:
        found = archive.write(temporary, segment, keys, secret)
        if found != rows:
            temporary.unlink()
            return None
        temporary.replace(path)
        sync_folders([path])
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    segment.unlink()
    sync_folders([segment])
    return found
