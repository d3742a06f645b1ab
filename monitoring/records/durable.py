"""Files that are on disk when the function returns, for files whose loss would break the counts.

Owns: syncing. Leaves to others: what is written, and in which order (checkpoint, archive, erasure_journal).
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from monitoring.records import private

PRIVATE = private.FILE  # mode of all records


def write(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Write and sync a whole file; call `sync_folders` to sync its name."""
    with create(path, mode) as file:
        file.write(content)


@contextmanager
def create(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """Create or truncate a file, and sync it when the block ends without an error."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def sync_folders(files: Iterable[Path]) -> None:
    """Sync the folders of these files, which makes creating, renaming and deleting them durable."""
    for folder in {path.parent for path in files}:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_data(files: Iterable[Path]) -> None:
    """Sync what is in files that others write, and their folders; one that has been deleted is passed over."""
    sync_folders([path for path in files if sync_path(path)])


def sync_path(path: Path) -> bool:
    """Sync a file, or the names in a folder; return False for one that has been deleted, which has nothing to sync."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True
