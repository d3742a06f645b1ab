"""Retention: deletes old archives, and old segments whose rows are all profiled.

Owns: what counts as old. Leaves to others: mutual exclusion (upkeep), when it runs (profiler, command line).

The age of a file is that of its newest row, given by its modification time, and by its seal if that is signed. Archives
and erasure preserve that time, and copies for backups should too (`cp -p`, `rsync -t`). Profiles are kept, because they
identify nobody, and so is the chain, which names what was deleted.
"""

import time
from pathlib import Path
from typing import NamedTuple

from monitoring.records import checkpoint
from monitoring.records.compaction import is_profiled
from monitoring.records.id_indexing import prune
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.proof import chain
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
    done = checkpoint.of_log(directory)
    ends = {
        read.entry.segment: read.entry.newest.timestamp()
        for read in chain.read_chain(directory)
        if read.entry and read.entry.newest and read.signature.signed_by
    }

    def is_old(path: Path) -> bool:
        """Whether a file is old; one with a signed seal not before the seal is, whatever its modification time."""
        return max(path.stat().st_mtime, ends.get(f"{path.stem}.log", 0.0)) < cutoff_s

    old = [path for path in segments(directory) if is_old(path)]
    deletable = [path for path in old if is_closed(path) and is_profiled(path, done, keys)]
    old_archives = [path for path in archives(directory) if is_old(path)]
    retired = sorted({f"{path.stem}.log" for path in (*deletable, *old_archives)})
    if retired:  # before they are deleted, and once more after a kill between the two
        chain.append(directory, chain.Event(event="retired", retired=retired), keys.seals)
    for path in [*deletable, *old_archives]:
        path.unlink()
    for folder in {path.parent for path in old_archives}:
        if next(folder.iterdir(), None) is None:
            folder.rmdir()
    prune(directory)
    return Deletion(len(deletable), len(old_archives), len(old) - len(deletable))
