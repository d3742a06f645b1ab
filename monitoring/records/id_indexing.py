"""Keeps the filters of ids up to date: made while the log is followed, deleted with what they describe.

Owns: which filter is extended next, and when filters are deleted. Leaves to others: the file (id_filter), searching
(lookup), when a step is taken (the profiler's process, which has nothing else to do then).

Filters are only written under the upkeep lock, so that an erasure that runs meanwhile cannot be undone by a filter made
of what was there before. A step is short, because a command that waits for the lock gives up after some seconds.
"""

import logging
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

from configs.dataset import RESERVED
from monitoring.records.cipher import KeyMissing
from monitoring.records.durable import sync_folders
from monitoring.records.id_filter import (
    Head,
    IdFilter,
    filter_path,
    filters_directory,
    fingerprints,
    new_secret,
    read_filter,
    write_filter,
)
from monitoring.records.lines import LoggedBatch
from monitoring.records.locks import UpkeepLock
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, is_closed, read_lines, segments, size_bytes

TAIL_BYTES = 4 * 2**20  # of an open segment that may be without a filter: 15,000 rows, which a search reads in 30 ms
STEP_BYTES = 8 * 2**20  # of a segment read in one step: 0.1 s

_log = logging.getLogger(__name__)


class IdIndexing:
    """Makes the filters of one log.

    Args:
        directory: that holds the records.
        keys: of the log; a segment whose key is missing gets no filter.
        tail_bytes: of an open segment that may be without a filter.
        step_bytes: of a segment that are read in one step.
    """

    def __init__(
        self, directory: Path, keys: LogKeys = NO_KEYS, *, tail_bytes: int = TAIL_BYTES, step_bytes: int = STEP_BYTES
    ) -> None:
        self._directory, self._keys = directory, keys
        self._tail_bytes, self._step_bytes = tail_bytes, step_bytes
        self._known: dict[str, IdFilter] = {}
        self._failed = False

    def step(self) -> bool:
        """Extend one filter by at most `step_bytes` of its segment; return whether there may be more to do."""
        try:
            changed = self._step()
        except OSError as error:
            if not self._failed:
                _log.warning("cannot write filters of ids, so a search reads more of the log: %s", error)
            self._failed = True
            return False
        self._failed = self._failed and not changed
        return changed

    def _step(self) -> bool:
        unfinished = [
            (segment, known) for segment in segments(self._directory) if not _complete(known := self._read(segment))
        ]
        if not unfinished:
            return False
        with UpkeepLock(self._directory) as lock:
            return lock.acquire() and any(self._extend(segment, known) for segment, known in unfinished)

    def _read(self, segment: Path) -> IdFilter | None:
        found = read_filter(filter_path(self._directory, segment), self._keys, self._known.pop(segment.stem, None))
        if found:
            self._known[segment.stem] = found
        return found

    def _extend(self, segment: Path, known: IdFilter | None) -> bool:
        """Put the next ids of a segment into its filter; return whether that changed it."""
        size = size_bytes(segment)
        if known is not None and size < known.head.covered:
            known = None  # the segment is another one than that of the filter
        covered = known.head.covered if known else 0
        closed = size > 0 and is_closed(segment)  # asked before reading: what follows is then all there will be
        if not closed and size - covered < self._tail_bytes:
            return False
        salt, key, secret = (
            (known.head.salt, known.head.key, known.secret) if known else new_secret(segment.stem, self._keys)
        )
        found: list[bytes | memoryview] = [known.fingerprints()] if known else []
        end = covered
        try:
            for batch, end in read_lines(segment, covered, self._keys.lines(segment).logged_batch):
                found.append(fingerprints(_ids(batch), secret))
                if end - covered >= self._step_bytes:
                    closed = False  # for now: there is more
                    break
        except KeyMissing:
            return False
        if end == covered and not closed:
            return False
        merged = _ascending(found)
        head = Head(name=segment.stem, covered=end, complete=closed, ids=len(merged), salt=salt, key=key)
        write_filter(filter_path(self._directory, segment), head, merged, secret)
        return True


def write_archive_filter(directory: Path, archive: Path, ids: Iterable[str], keys: LogKeys) -> None:
    """Write the filter of an archive that has none; the caller must hold the upkeep lock."""
    salt, key, secret = new_secret(archive.stem, keys)
    found = _ascending([fingerprints(ids, secret)])
    head = Head(name=archive.stem, covered=0, complete=True, ids=len(found), salt=salt, key=key)
    write_filter(filter_path(directory, archive), head, found, secret)


def forget(directory: Path, files: Iterable[Path]) -> None:
    """Delete the filters of these segments and archives, durably: an id in them has been erased."""
    deleted = [path for file in files if (path := filter_path(directory, file)).exists()]
    for path in deleted:
        path.unlink(missing_ok=True)
    sync_folders(deleted)


def prune(directory: Path) -> None:
    """Delete the filters of which neither segment nor archive is left; the caller must hold the upkeep lock."""
    left = {filter_path(directory, file) for file in (*segments(directory), *archives(directory))}
    for path in filters_directory(directory).glob("*"):
        if path not in left:
            path.unlink(missing_ok=True)


def _ids(batch: LoggedBatch) -> list[str]:
    """The ids of the rows that are not erased."""
    if RESERVED not in batch.fields:
        return []
    at = batch.fields.index(RESERVED)
    return [one for row in batch.rows if row.values and (one := row.values[at])]


def _ascending(parts: Sequence[bytes | memoryview]) -> "array[int]":
    """Each of these fingerprints once."""
    import numpy as np  # not before something is indexed: commands and child processes start without it

    every = [np.frombuffer(part, dtype=np.uint32) for part in parts]
    return array("I", np.unique(np.concatenate(every)).tobytes() if every else b"")


def _complete(known: IdFilter | None) -> bool:
    return known is not None and known.head.complete
