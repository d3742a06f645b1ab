"""What makes an open segment prove itself: its head, the chained lines, its seal, and their entries in `chain.log`.

Owns: the state of one segment while it is written, and its last line. Leaves to others: writing its batches
(decision_log), the bytes of a line (line_encoding, cipher), sealing the segment of a writer that was killed (sealing).

Nothing here breaks or delays a request: an entry that cannot be made is left to the next batch, to the end of the
segment, and to upkeep. So a segment is recorded with its first batch and not when it is opened: the next batch has to
look anyway whether that is done, and one that stays empty, as that of each idle worker, has no entry, so that nothing
is missing if its writer is killed and its file swept up. No row is in a file before its entry was tried.
"""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from monitoring.records.cipher import key_id
from monitoring.records.lines import Batch, framed
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof import chain
from monitoring.records.proof.chain import Event
from monitoring.records.proof.segment_ends import Head, Seal, head_payload, parse_seal, seal_payload, sha256

LOCK_WAIT_S = 0.05  # seconds that the end of a segment waits at most for others that append: each takes 0.1 ms

_log = logging.getLogger("bentoml.scorer")


class SegmentProof:
    """The proof of one new segment.

    Args:
        directory: that holds the records.
        segment: file name.
        keys: of the log.

    Attributes:
        begun: whether the chain has the entry of its beginning; a batch asks this, which costs less than a call.
    """

    def __init__(self, directory: Path, segment: str, keys: LogKeys) -> None:
        self._directory, self._segment, self._keys = directory, segment, keys
        log_key = key_id(keys.secrets[0]) if keys else ""
        kind = "aes256gcm" if keys else "plain"
        head = head_payload(Head(segment, kind, log_key, keys.seals.signer, _newest_hash(directory)))  # type: ignore[arg-type]
        self._head_line, self._head_hash = framed(head), sha256(head)
        self._encode = keys.encoder(segment)
        self._last_hash = self._next_hash = self._head_hash
        self._rows = self._lines = 0
        self._newest = datetime.min.replace(tzinfo=UTC)
        self.begun = self._told = False  # told: that the entry comes later

    def encode(self, batch: Batch) -> bytes:
        """The bytes of the next batch, after the head if it is the first."""
        line, self._next_hash = self._encode(batch, self._last_hash)
        return line if self._lines else self._head_line + line

    def written(self, batch: Batch) -> None:
        """Go on: the batch that was encoded last is in the file."""
        self._last_hash, self._newest = self._next_hash, batch.time
        self._rows += len(batch.rows)
        self._lines += 1

    def record_begun(self, wait_s: float = 0.0) -> None:
        """Record that the segment begins, unless that is done; the next batch tries again if others append now."""
        if not self.begun:
            begun = Event(event="begun", segment=self._segment, head=self._head_hash)
            self.begun = self._record(begun, wait_s, told=self._told)
            self._told = True

    def end(self, descriptor: int, size: int) -> bool:
        """End the segment, `size` bytes long, with its seal; return False on a full disk: upkeep does it later."""
        line = self._make_seal()
        try:
            before = os.fstat(descriptor)
            if os.write(descriptor, line) != len(line):
                os.ftruncate(descriptor, size)
                return False
            # The age of a file is that of its newest row (retention).
            os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
        except OSError as error:
            _log.warning("%s is sealed later: %s", self._directory / "decisions" / self._segment, error)
            return False
        self.record_sealed()
        return True

    def _make_seal(self) -> bytes:
        """The last line."""
        seal = Seal(self._segment, self._rows, self._lines, self._last_hash, self._newest)
        self._seal = seal_payload(seal, self._keys.seals)
        return framed(self._seal)

    def record_sealed(self) -> None:
        """Record that the segment has ended with the seal that was made last."""
        self.record_begun(LOCK_WAIT_S)
        if self.begun and (sealed := parse_seal(self._seal)):
            seal = sealed.seal
            self._record(
                Event(event="sealed", segment=self._segment, rows=seal.rows, seal=sealed.hash, newest=seal.newest)
            )

    def record_dropped(self) -> bool:
        """Record that the segment, which has no rows, is deleted; return whether that needs no entry, or has one."""
        return not self.begun or self._record(Event(event="retired", retired=[self._segment]))

    def record_removed(self) -> None:
        """Record that the file is gone, or was changed by others."""
        self._record(Event(event="removed", segment=self._segment))

    def _record(self, event: Event, wait_s: float = LOCK_WAIT_S, told: bool = False) -> bool:
        try:
            chain.append(self._directory, event, self._keys.seals, wait_s, sync=False)
        except OSError as error:
            _log.log(
                logging.DEBUG if told else logging.WARNING,
                "%s: %s of %s is recorded later: %s",
                chain.chain_path(self._directory),
                event.event,
                self._segment,
                error,
            )
            return False
        return True


def _newest_hash(directory: Path) -> str:
    """The hash of the newest entry; as if there were none where the chain cannot be read."""
    try:
        return chain.newest(directory).hash
    except OSError as error:
        _log.warning("%s cannot be read: %s", chain.chain_path(directory), error)
        return chain.NO_ENTRY
