"""Compaction: closed and fully profiled segments become Parquet archives and are deleted.

Owns: which segments are archived, and an order of steps that survives a kill. Leaves to others: Parquet (archive),
mutual exclusion (upkeep).

    1. write `<name>.parquet.next`, synced   after a kill the next run deletes it
    2. rename it to `<name>.parquet`         after a kill both files exist; the next run writes the same archive again
    3. delete the segment                    its rows still count, by the profiler's checkpoint
"""

from pathlib import Path
from typing import NamedTuple

from monitoring.records import checkpoint, private
from monitoring.records.checkpoint import Checkpoint
from monitoring.records.durable import sync_folders
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archive_path, is_closed, next_path, read_lines, segments, size_bytes


class Compaction(NamedTuple):
    """What one run has archived and skipped.

    Attributes:
        segments: number of archived segments.
        rows: number of rows in them.
        still_open: number of skipped segments that are still being written.
        pending: number of skipped segments with rows that are not profiled yet.
        damaged: number of skipped segments in which some profiled rows cannot be read any more.
    """

    segments: int = 0
    rows: int = 0
    still_open: int = 0
    pending: int = 0
    damaged: int = 0


def compact(directory: Path, keys: LogKeys = NO_KEYS, plain: bool = False) -> Compaction:
    """Archive every segment that is ready; call it under `exclusive_upkeep`.

    Args:
        directory: that holds the records.
        keys: to read segments with; the first one encrypts the archives.
        plain: write plain Parquet even if there are keys.

    Raises:
        KeyMissing: a segment is encrypted with another key.
        OSError: the disk is full; finished archives are complete, and everything else is unchanged.
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
    """Return whether every readable row of a closed segment is in a committed profile."""
    lines = keys.lines(segment)
    return next(read_lines(segment, done.position(segment).offset, lines.row_range), None) is None


def _archive(directory: Path, segment: Path, rows: int, keys: LogKeys, secret: bytes | None) -> int | None:
    """Archive one segment of `rows` rows and return their number; change nothing and return None if some are lost."""
    from monitoring.records import archive

    path = archive_path(directory, segment)
    temporary = next_path(path)
    for folder in (path.parent.parent, path.parent):
        if not folder.exists():
            private.make_folder(folder)
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
