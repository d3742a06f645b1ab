"""Upkeep of the log: compact, erase and retain run one at a time; the profiler process does the rest by itself.

Owns: mutual exclusion, and what the profiler process runs and how often. Leaves to others: the lock (locks), finishing
an interrupted erasure (erasure_journal), sealing (sealing), deleting what is old (retention), the chain (chain).
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitoring.records import erasure_journal, retention
from monitoring.records.erasure_journal import DamagedRecord, UnknownJournal
from monitoring.records.locks import UpkeepLock
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.proof import chain
from monitoring.records.proof.chain import NO_ENTRY
from monitoring.records.proof.seal_keys import SEAL_KEY_VARIABLE
from monitoring.records.proof.sealing import seal_abandoned
from monitoring.records.segments import BATCH, EXPLANATIONS

WAIT_S = 10.0  # seconds to wait for another compact, erase or retain
HOUR_S = 3600.0  # seconds between two looks for what is old, and between two lines with the anchor

_log = logging.getLogger(__name__)


class UnsignedCommand(OSError):  # noqa: N818 - a state that ends when the key is given
    """The chain is signed, so what this process records has to be."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the log is sealed with the key {key}, which this command needs too: "
            f"set {SEAL_KEY_VARIABLE} or seal_key_file as the service has it"
        )


@contextmanager
def exclusive_upkeep(directory: Path, keys: LogKeys = NO_KEYS) -> Iterator[int]:
    """Hold the upkeep lock, seal what writers have left, and finish an interrupted erasure; yield how many rows it had.

    Raises:
        BlockingIOError: another process holds the lock.
        UnsignedCommand: the chain is signed, and the key is not in `keys`.
    """
    if not keys.seals.signer and (key := chain.newest(directory).signed_by):
        raise UnsignedCommand(key)
    with UpkeepLock(directory) as lock:
        if not lock.acquire(WAIT_S):
            raise BlockingIOError(f"{directory}: another compact, erase or retain is running; retry later")
        recovered = erasure_journal.recover(directory, keys.seals)
        try:
            seal_abandoned(directory, keys)
        except OSError as error:  # which is no reason to erase nothing
            _log.warning("segments are sealed later: %s", error)
        yield recovered


class Upkeep:
    """What the profiler process does beside profiling.

    Args:
        directory: that holds the records.
        retention_days: age in days at which records are deleted; 0 keeps them.
        keys: of the log.
    """

    def __init__(self, directory: Path, retention_days: int, keys: LogKeys = NO_KEYS) -> None:
        self._directory, self._retention_days, self._keys = directory, retention_days, keys
        self._broken: list[str] = []
        self._anchor = NO_ENTRY
        self._next_hour_s = 0.0

    def run(self) -> None:
        """Finish an erasure and seal what writers have left; once an hour delete what is old, and log the anchor.

        While another process holds the lock, or there is no log yet, nothing is done.
        """
        if not self._directory.is_dir():
            return
        try:
            with UpkeepLock(self._directory) as lock:
                if lock.acquire():
                    try:
                        erasure_journal.recover(self._directory, self._keys.seals)
                    except (DamagedRecord, UnknownJournal) as error:  # which is no reason to seal nothing
                        _log.error("an erasure is not finished: %s", error)
                    self._broken = seal_abandoned(self._directory, self._keys, self._broken)
                    chain.sync_chain(self._directory)
                    if time.monotonic() >= self._next_hour_s:
                        self._next_hour_s = time.monotonic() + HOUR_S
                        self._run_hourly()
        except OSError as error:
            _log.warning("upkeep of the log failed: %s", error)

    def _run_hourly(self) -> None:
        done = retention.retain(self._directory, self._retention_days, self._keys)
        if done.segments or done.archives:
            _log.info("retention deleted segments: %d, archives: %d", done.segments, done.archives)
        self._log_anchor()

    def _log_anchor(self) -> None:
        """Log the newest hash of the chain, so that it lies where the log's collector does."""
        hashes = [entry.hash for entry in chain.read_chain(self._directory)]
        if self._anchor != NO_ENTRY and self._anchor not in hashes:
            path = chain.chain_path(self._directory)
            _log.error("%s was cut or written anew: the entry %s is not in it any more", path, self._anchor)
        if hashes:
            self._anchor = hashes[-1]
            names = {EXPLANATIONS: "log of explanations", BATCH: "log of batch runs"}
            name = names.get(self._directory.name, "decision log")
            _log.info("anchor of the %s: %s, %d entries", name, self._anchor, len(hashes))


def run_upkeep(directory: Path, retention_days: int, keys: LogKeys = NO_KEYS) -> None:
    """Do once what `Upkeep` does every hour."""
    Upkeep(directory, retention_days, keys).run()
