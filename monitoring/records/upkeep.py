"""Upkeep of the log: compact, erase and retain run one at a time; the profiler process runs recovery and retention.

Owns: mutual exclusion, and what the profiler process runs every hour. Leaves to others: the lock (locks), finishing an
interrupted erasure (erasure_journal), deleting what is old (retention).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitoring.records import erasure_journal, retention
from monitoring.records.locks import UpkeepLock
from monitoring.records.log_keys import LogKeys

WAIT_S = 10.0  # seconds to wait for another compact, erase or retain

_log = logging.getLogger(__name__)


@contextmanager
def exclusive_upkeep(directory: Path) -> Iterator[int]:
    """Hold the upkeep lock and finish an interrupted erasure; yield the number of rows that this erased.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    with UpkeepLock(directory) as lock:
        if not lock.acquire(WAIT_S):
            raise BlockingIOError(f"{directory}: another compact, erase or retain is running; retry later")
        yield erasure_journal.recover(directory)


def run_upkeep(directory: Path, retention_days: int, keys: LogKeys) -> None:
    """Finish an interrupted erasure and delete what is old, unless another process holds the lock."""
    try:
        with UpkeepLock(directory) as lock:
            if lock.acquire():
                erasure_journal.recover(directory)
                done = retention.retain(directory, retention_days, keys)
                if done.segments or done.archives:
                    _log.info("retention deleted segments: %d, archives: %d", done.segments, done.archives)
    except OSError as error:
        _log.warning("upkeep of the log failed: %s", error)
