"""Retention: deletes old archives, and old segments whose rows are all profiled.

Owns: what counts as old. Leaves to others: mutual exclusion (upkeep), when it runs (profiler, command line).

The age of a file is that of its newest row, given by its modification time. Archives and erasure preserve that time,
and copies for backups should too (`cp -p`, `rsync -t`). Profiles are kept, because they identify nobody.
"""

import time
from pathlib import Path
from typing import NamedTuple

from monitoring.records import checkpoint
from monitoring.records.compaction import is_profiled
from monitoring.records.id_indexing import prune
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, is_closed, segments

DAY_S = 86_400


class Deletion(NamedTuple):
    """The number of files deleted; `deferred` segments are old too, but still being written or not profiled yet."""

    segments: int = 0
    archives: int = 0
    deferred: int = 0


def retain(directory: Path, retention_days: int, keys: LogKeys = NO_KEYS) -> Deletion:
    """Delete files without a row of the last `retention_days` days, nothing if 0; the caller must hold the lock."""
    if not retention_days:
        return Deletion()
    cutoff_s = time.time() - retention_days * DAY_S
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    old = [path for path in segments(directory) if _modified_s(path) < cutoff_s]
    deletable = [path for path in old if is_closed(path) and is_profiled(path, done, keys)]
    old_archives = [path for path in archives(directory) if _modified_s(path) < cutoff_s]
    for path in [*deletable, *old_archives]:
        path.unlink()
    for folder in {path.parent for path in old_archives}:
        if next(folder.iterdir(), None) is None:
            folder.rmdir()
    prune(directory)
    return Deletion(len(deletable), len(old_archives), len(old) - len(deletable))


def _modified_s(path: Path) -> float:
    return path.stat().st_mtime
