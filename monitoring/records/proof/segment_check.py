"""Whether the lines of one segment, or of its archive, are those that were written, in their order.

Owns: heads, lines and seals of one segment, compared with each other. Leaves to others: where the lines come from
(`check_segment`, archive_check), and what `chain.log` says of the segment (verification).

Checking goes on after a fault, from the line that shows it, so each fault is found once and the lines after it count.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from monitoring.records.cipher import is_encrypted
from monitoring.records.commitments import ChainedLine, commitment_of_erased, take_apart
from monitoring.records.line_encoding import Mac
from monitoring.records.lines import LoggedBatch, decode_batch, unframed
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof.segment_ends import Head, SignedSeal, is_end, parse_head, parse_seal, sha256


class Finding(NamedTuple):
    """What is wrong: in which file, in which of its lines, counted from 1, None for the whole file."""

    segment: str
    line: int | None
    why: str


class SegmentCheck:
    """Takes the lines of one segment in turn.

    Args:
        segment: file name of the segment, which its archive has too.
        keys: of the log.

    Attributes:
        findings: what is wrong.
        head: None if the segment begins without one.
        seal: None if it does not end with one.
        rows: in good lines.
        lines: of rows, good ones.
        erased: number of erased rows, of those.
        torn_bytes: length of what follows the last complete line.
        good_bytes: length up to there; of an archive, its length.
        last_hash: of the last line of rows, or of the head, hexadecimal.
        newest: batch of the last line of rows.
        is_chained: whether it was written by a version that chains lines.
    """

    def __init__(self, segment: str, keys: LogKeys) -> None:
        self.segment, self._keys = segment, keys
        self.findings: list[Finding] = []
        self.head: Head | None = None
        self.head_hash = ""
        self.seal: SignedSeal | None = None
        self.rows = self.lines = self.erased = self.torn_bytes = self.good_bytes = 0
        self.last_hash = ""
        self.newest: LoggedBatch | None = None
        self.is_chained = True
        self._next_row = 0
        self._mac: Mac | None = None

    def fault(self, line: int | None, why: str) -> None:
        """Note a fault."""
        self.findings.append(Finding(self.segment, line, why))

    def add_head(self, payload: bytes | None) -> None:
        """Check the first line."""
        self.head = None if payload is None else parse_head(payload)
        if self.head is None or payload is None:
            self.fault(1, "is not the head of a segment: it was changed or removed")
            return
        self.last_hash = self.head_hash = sha256(payload)
        self._mac = self._keys.seals.mac(self.head.seal_key, self.segment)
        if self.head.segment != self.segment:
            self.fault(1, f"is the head of {self.head.segment}: the file was copied or renamed")

    def add_rows(self, payload: bytes | None, line: int) -> None:
        """Check a line of rows."""
        if self.seal is not None:
            self.fault(line, "stands after the seal: it was added")
            return
        batch = None if payload is None else decode_batch(payload)
        chained = None if payload is None else take_apart(payload)
        if payload is None or batch is None or chained is None:
            self.last_hash = ""  # the next line cannot be compared with this one
            self.fault(line, "is damaged, or is not of the kind that the head says: it was changed or added")
            return
        own_hash = chained.hash()
        if self.last_hash and batch.previous != self.last_hash:
            self.fault(line, "does not follow the line before it: one was changed, removed, added or moved")
        elif batch.sequence != self._next_row and self.last_hash:
            self.fault(line, f"begins with row {batch.sequence} instead of {self._next_row}")
        self._check_form(payload, batch, chained, line)
        if self._mac and chained.mac != msgspec.json.encode(self._mac(own_hash)):
            self.fault(line, "was not written by a holder of the seal's key")
        elif self.head and self.head.seal_key and not chained.mac:
            self.fault(line, "has no code of the seal's key, though the segment began with one")
        self.last_hash, self.newest = own_hash.hex(), batch
        self._next_row = batch.sequence + len(batch.rows)
        self.lines += 1
        self.rows += len(batch.rows)

    def _check_form(self, payload: bytes, batch: LoggedBatch, chained: ChainedLine, line: int) -> None:
        """Whether the parts that the hash leaves out, which are those of erased rows, are as erasure leaves them."""
        erased = sum(commitment_of_erased(row) is not None for row in chained.rows)
        self.erased += erased
        written = chained.joined()
        as_written = payload.rstrip(b" ") == written if erased else payload == written
        if not as_written or any(not row.values and not row.salt for row in batch.rows):
            self.fault(line, "is not spelled as it was written")
        elif (erased == len(batch.rows)) != (not batch.fields) and erased:
            self.fault(line, "names fields that no row has")

    def add_seal(self, payload: bytes, line: int) -> None:
        """Check the last line."""
        if self.seal is not None:
            self.fault(line, "stands after the seal: it was added")
            return
        signed = parse_seal(payload)
        if signed is None:
            self.fault(line, "is not a seal as it was written")
            return
        self.seal, seal = signed, signed.seal
        if fault := signed.fault(self._keys.seals):
            self.fault(line, f"the seal {fault}")
        if seal.segment != self.segment:
            self.fault(line, f"is the seal of {seal.segment}")
        elif (seal.hash, seal.lines, seal.rows) != (self.last_hash, self.lines, self._next_row) and not self.findings:
            lines = f"{seal.rows} rows in {seal.lines} lines"
            self.fault(line, f"seals {lines}, which are not these {self._next_row} in {self.lines}")
        if self.head and self.head.seal_key and not signed.signature.signed_by:
            self.fault(line, "the seal is not signed, though the segment began with a key")


def check_segment(path: Path, keys: LogKeys, edits: Mapping[int, bytes] | None = None) -> SegmentCheck:
    """Check the file of a segment, as far as it has been written.

    Args:
        path: of the file.
        keys: of the log.
        edits: by their offset, lines of an erasure that was interrupted, which stand for those in the file.

    Raises:
        KeyMissing: a line is encrypted with a key that is not in `keys`.
        FileNotFoundError: the file is gone.
    """
    check = SegmentCheck(path.name, keys)
    lines = keys.lines(path)
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.endswith(b"\n"):
                check.torn_bytes = len(raw)
                break
            line = (edits or {}).get(check.good_bytes, raw)
            if line is not raw and not _is_of_same_rows(lines.payload(raw), lines.payload(line)):
                check.fault(number, "is not the line that the erasure in erasure.journal changes: it was changed")
            check.good_bytes += len(raw)
            plain = None if is_encrypted(line) else unframed(line)
            if number == 1:
                if _is_of_earlier_version(plain, lines.payload(line)):
                    check.is_chained = False
                else:
                    check.add_head(plain)
                    continue
            if not check.is_chained:
                _count(check, lines.payload(line), number)
            elif plain is not None and is_end(plain):
                check.add_seal(plain, number)
            else:
                check.add_rows(lines.payload(line), number)
    return check


def _is_of_same_rows(found: bytes | None, erased: bytes | None) -> bool:
    """Whether erasing rows of one line gives the other; a line whose overwriting was interrupted cannot be read."""
    if found is None:
        return True
    before, after = take_apart(found), None if erased is None else take_apart(erased)
    if before is None or after is None:  # of an earlier version, which nothing proves
        return before is after
    return before.hash() == after.hash()


def _is_of_earlier_version(plain: bytes | None, payload: bytes | None) -> bool:
    """Whether the first line of a segment is one of rows that is not chained."""
    if payload is None or (plain is not None and is_end(plain)):
        return False
    return take_apart(payload) is None and decode_batch(payload) is not None


def _count(check: SegmentCheck, payload: bytes | None, number: int) -> None:
    """Count the rows of a line of an earlier version."""
    batch = None if payload is None else decode_batch(payload)
    if batch is None:
        check.fault(number, "is damaged")
    else:
        check.rows += len(batch.rows)
