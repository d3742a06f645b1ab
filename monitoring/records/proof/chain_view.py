"""What `chain.log` says of each segment, and whether the chain itself is whole.

Owns: reading the entries together. Leaves to others: the file and single entries (chain), comparing them with the
files (verification, sealing).
"""

from collections import Counter
from collections.abc import Sequence

from monitoring.records.log_keys import LogKeys
from monitoring.records.proof.chain import NO_ENTRY, PURPOSE, Entry, ReadEntry
from monitoring.records.proof.segment_check import Finding

CHAIN = "chain.log"


class ChainView:
    """The entries of a chain, by segment.

    Args:
        entries: as they were read.
        keys: of the log, to check signatures with.

    Attributes:
        findings: what is wrong with the chain.
        hashes: of every entry, with its number.
        newest: hash of the newest entry.
        is_signed: whether the newest entry is signed.
        begun: entry of each segment that was begun.
        sealed: entry of each segment that was sealed.
        erased: rows erased in each segment.
        erasures: ids of erasures.
        retired: segments that were deleted because of their age.
        removed: segments that their writers found gone or changed.
        found: files that were there before the chain was.
    """

    def __init__(self, entries: Sequence[ReadEntry], keys: LogKeys) -> None:
        self.findings: list[Finding] = []
        self.hashes = {NO_ENTRY: -1}
        self.newest = NO_ENTRY
        self.is_signed = False
        self._next_number = 0
        self.begun: dict[str, Entry] = {}
        self.sealed: dict[str, Entry] = {}
        self.erased: Counter[str] = Counter()
        self.erasures: set[str] = set()
        self.retired: set[str] = set()
        self.removed: set[str] = set()
        self.found: set[str] = set()
        for number, read in enumerate(entries):
            self._check(read, number, keys)
            self.hashes[read.hash], self.newest = number, read.hash
            if read.entry:
                self._sort(read.entry)

    def _check(self, read: ReadEntry, number: int, keys: LogKeys) -> None:
        line = number + 1
        signed = bool(read.signature.signed_by)
        if read.entry is None:
            self._fault(line, "is no entry as it was written")
        elif read.entry.previous != self.newest:
            self._fault(line, "does not follow the entry before it: one was changed, removed, added or moved")
        elif read.entry.number != self._next_number:
            self._fault(line, f"has the number {read.entry.number} instead of {self._next_number}")
        self._next_number = read.entry.number + 1 if read.entry else number + 1
        if signed and (fault := keys.seals.fault(PURPOSE, read.signed, read.signature)):
            self._fault(line, f"the entry {fault}")
        if self.is_signed and not signed and read.entry:
            self._fault(line, "is not signed, though entries before it are: it was added, or written without the key")
        self.is_signed = self.is_signed or signed

    def _fault(self, line: int, why: str) -> None:
        self.findings.append(Finding(CHAIN, line, why))

    def _sort(self, entry: Entry) -> None:
        """The first entry of its kind on a segment counts: a later one cannot take its place."""
        match entry.event:
            case "begun":
                self.begun.setdefault(entry.segment, entry)
            case "sealed":
                self.sealed.setdefault(entry.segment, entry)
            case "removed":
                self.removed.add(entry.segment)
            case "erased":
                if entry.erasure not in self.erasures:
                    self.erasures.add(entry.erasure)
                    self.erased.update(entry.erased)
            case "retired":
                self.retired.update(entry.retired)
            case "found":
                self.found.update(entry.found)
