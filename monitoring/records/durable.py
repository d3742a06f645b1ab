"""Files that are on the disk when a function returns, for those whose loss would break the counting.

Owns: syncing. Leaves to others: what is written, and in which order (checkpoint, compaction, erasure).
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PRIVATE = 0o600  # of files with personal data


def write(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write and sync a whole file; its name is safe after `sync_folders`."""
    with create(path, mode) as file:
        file.write(content)


@contextmanager
def create(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """Open an empty file that is synced at the end, unless that is an error."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def sync_folders(files: Iterable[Path]) -> None:
    """Sync the folders of these files, and with that which of them exist under which name."""
    for folder in {path.parent for path in files}:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
