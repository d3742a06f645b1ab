"""Who may change or delete what has been logged: one at a time, and the profiler's process by itself once in a while.

Owns: taking that turn, and what is done in it unasked. Leaves to others: the lock (lock), finishing an erasure that was
cut short (journal), deleting what is too old (retention).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitoring.records import erasure_journal, retention
from monitoring.records.locks import UpkeepLock
from monitoring.records.log_keys import LogKeys

WAIT_S = 10.0  # seconds for another compact, erase or retain to end

_log = logging.getLogger(__name__)


@contextmanager
def exclusive_upkeep(directory: Path) -> Iterator[int]:
    """Have the log to oneself, whole again if an erasure was cut short; gives how many rows finishing that erased.

    Raises:
        BlockingIOError: another keeps it.
    """
    with UpkeepLock(directory) as lock:
        if not lock.acquire(WAIT_S):
            raise BlockingIOError(f"{directory}: another compact, erase or retain is running; try again after it")
        yield erasure_journal.recover(directory)


def run_upkeep(directory: Path, retention_days: int, keys: LogKeys) -> None:
    """Finish what was cut short, and delete what is too old, unless another is at it."""
    try:
        with UpkeepLock(directory) as lock:
            if lock.acquire():
                erasure_journal.recover(directory)
                done = retention.retain(directory, retention_days, keys)
                if done.segments or done.archives:
                    _log.info("deleted %d segments and %d archives: too old", done.segments, done.archives)
    except OSError as error:
        _log.warning("cannot look after the log: %s", error)
