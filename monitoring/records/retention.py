"""What is kept too long is deleted: archives, and segments whose rows are all in profiles.

Owns: what is too old. Leaves to others: being alone (upkeep), when it runs (profiler, `python -m monitoring retain`).

A file is as old as its newest row, which is what its time of modification says: archives and erasure keep it, and a
copy made for a backup should (`cp -p`, `rsync -t`). The profiles stay: they hold no person.
"""

import time
from pathlib import Path
from typing import NamedTuple

from monitoring.records import checkpoint
from monitoring.records.compaction import is_profiled
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, is_closed, segments

DAY_S = 86_400


class Deletion(NamedTuple):
    """How many files a run has deleted; `kept` segments are too old as well, but written to or not profiled yet."""

    segments: int = 0
    archives: int = 0
    deferred: int = 0


def retain(directory: Path, retention_days: int, keys: LogKeys = NO_KEYS) -> Deletion:
    """Delete what has no row of the last `retention_days` days; 0 deletes nothing. Only for the holder of the lock."""
    if not retention_days:
        return Deletion()
    before_s = time.time() - retention_days * DAY_S
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    old = [path for path in segments(directory) if _newest_s(path) < before_s]
    free = [path for path in old if is_closed(path) and is_profiled(path, done, keys)]
    stale = [path for path in archives(directory) if _newest_s(path) < before_s]
    for path in [*free, *stale]:
        path.unlink()
    for folder in {path.parent for path in stale}:
        if next(folder.iterdir(), None) is None:
            folder.rmdir()
    return Deletion(len(free), len(stale), len(old) - len(free))


def _newest_s(path: Path) -> float:
    return path.stat().st_mtime
