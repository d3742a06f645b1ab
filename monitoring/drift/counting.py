"""Reads profiles once, and counts them by the reference of their model.

Owns: what was read, and what could not be. Leaves to others: the bytes of a profile (files), counting (columns).

A profile takes some 10 ms to read and count, and never changes once its window is over: a process that looks again
reads only what has changed since.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from monitoring.drift.columns import Counts
from monitoring.drift.references import Reference
from monitoring.drift.windows import Counted, ProfileFile
from monitoring.profiles.files import read_sketches
from monitoring.records.checkpoint import CheckpointError
from monitoring.records.cipher import KeyMissing
from monitoring.records.log_keys import LogKeys

MOST_READ = 2048  # files whose counts are kept, 4 kB per numeric column and hour: twelve weeks of hours


def read_counts(
    files: list[ProfileFile], reference: Reference, keys: LogKeys, unread: dict[Path, str]
) -> Iterator[Counted]:
    """Yield each profile with its rows and counts; one that cannot be read goes to `unread` with the reason."""
    for file in files:
        try:
            status = file.path.stat()
            state = status.st_mtime_ns, status.st_size, status.st_ino
            rows, counts = _counted(file.path, state, reference, keys)
        except FileNotFoundError:
            continue  # merged with a later one since it was listed
        except (KeyMissing, CheckpointError, OSError) as error:
            unread[file.path] = str(error)
            continue
        except ValueError as error:
            unread[file.path] = f"{file.path}: {error}; it is no profile of this service, or a disk has damaged it"
            continue
        yield Counted(file, state, rows, counts)


@lru_cache(maxsize=MOST_READ)
def _counted(path: Path, _: tuple[int, int, int], reference: Reference, keys: LogKeys) -> tuple[int, dict[str, Counts]]:
    """Rows and counts of a file in one state; a column that it does not have is null in each of its rows."""
    columns = read_sketches(path, keys)
    rows = max((column.rows for column in columns.values()), default=0)
    counts = {}
    for name, layout in reference.layouts.items():
        column = columns.get(name)
        counts[name] = (layout.empty(rows) if column is None else layout.count(column)).compact()
    return rows, counts
