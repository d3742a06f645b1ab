"""`python -m monitoring verify`: whether the records are those that were written, and all of them.

Owns: comparing every segment and archive with `chain.log`. Leaves to others: the lines of one segment (segment_check,
archive_check), the entries of the chain (chain, chain_view).

It may run while the service writes, and while an erasure or a compaction does or was interrupted: what it finds broken
it reads again, and reports only what stays. Nothing is written and no lock is taken, so that reading is enough.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from monitoring.records.log_keys import LogKeys
from monitoring.records.proof import chain
from monitoring.records.proof.chain import NO_ENTRY
from monitoring.records.proof.chain_view import CHAIN, ChainView
from monitoring.records.proof.pending_erasure import PendingErasure
from monitoring.records.proof.segment_check import Finding, SegmentCheck, check_segment
from monitoring.records.segments import archives, logs_beside, segments

ATTEMPTS, PAUSE_S = 3, 0.2  # readings of what seems broken, and seconds between them: an erasure takes less


class Verification(msgspec.Struct):
    """What was found.

    Attributes:
        segments: number of segments looked at, archived ones included.
        rows: in them.
        intact: whether nothing is broken.
        broken: what is.
        notes: in words, what is not proved: unsigned and unsealed segments.
    """

    segments: int
    rows: int
    intact: bool
    broken: list[Finding]
    notes: list[str]


def verify(
    directory: Path,
    keys: LogKeys,
    anchors: Sequence[str] = (),
    *,
    attempts: int = ATTEMPTS,
    pause_s: float = PAUSE_S,
) -> Verification:
    """Verify all records.

    Args:
        directory: that holds the records.
        keys: of the log.
        anchors: hashes that were the newest of the chain at some time.
        attempts: readings of what seems broken.
        pause_s: seconds between them.

    Raises:
        KeyMissing: a segment or an archive is encrypted with a key that is not in `keys`.
        OSError: a file cannot be read.
    """
    result = _Reading(directory, keys, anchors)
    for _ in range(attempts - 1):
        if not result.findings:
            break
        time.sleep(pause_s)
        result = _Reading(directory, keys, anchors, result)
    broken = sorted(result.findings, key=lambda one: (one.segment, one.line or 0))
    checks = result.checks.values()
    rows = sum(check.rows for check in checks)
    return Verification(len(checks), rows, not broken, broken, result.notes())


def verify_logs(directory: Path, keys: LogKeys, anchors: Sequence[str] = ()) -> Verification:
    """Verify the decision log, and the logs beside it; errors are those of `verify`.

    An anchor is that of any of these chains.
    """
    beside = logs_beside(directory)
    known = {entry.hash for log in beside for entry in chain.read_chain(log)}
    found = verify(directory, keys, [anchor for anchor in anchors if anchor not in known])
    for log in beside:
        more = verify(log, keys)
        found = Verification(
            found.segments + more.segments,
            found.rows + more.rows,
            found.intact and more.intact,
            [*found.broken, *(one._replace(segment=f"{log.name}/{one.segment}") for one in more.broken)],
            [*found.notes, *(f"{log.name}: {note}" for note in more.notes)],
        )
    return found


class _Reading:
    """One reading of all records; after a first one, of those that seemed broken then or are new.

    Attributes:
        checks: by the file name of the segment.
        sources: the files that were checked.
        findings: what is wrong, as far as this reading knows.
    """

    def __init__(
        self, directory: Path, keys: LogKeys, anchors: Sequence[str], before: "_Reading | None" = None
    ) -> None:
        self._seals = keys.seals
        self.findings: list[Finding] = []
        self._pending = PendingErasure(directory, keys)
        self.checks: dict[str, SegmentCheck] = {}
        self.sources: dict[str, Path] = {}
        suspects: set[str] = {finding.segment for finding in before.findings} if before else set()
        for name, path in _files(directory).items():
            self.sources[name] = path
            if before and name not in suspects and before.sources.get(name) == path:
                self.checks[name] = before.checks[name]
            else:
                self._add(name, path, keys)
        for name, path in _files(directory).items():  # what a compaction has moved meanwhile
            if name in self.sources and name not in self.checks:
                self.sources[name] = path
                self._add(name, path, keys)
        # Read after the files, so that it names each of them, and before they are listed again, so that each is there.
        self._view = ChainView(chain.read_chain(directory), keys)
        self.findings = list(dict.fromkeys(self._find(_files(directory).keys(), anchors)))

    def _add(self, name: str, path: Path, keys: LogKeys) -> None:
        """Check a file, unless it is gone meanwhile."""
        with suppress(FileNotFoundError):
            if path.suffix == ".log":
                self.checks[name] = check_segment(path, keys, self._pending.edits.get(path.name, {}))
            else:
                from monitoring.records.proof.archive_check import check_archive

                self.checks[name] = check_archive(path, keys)

    def _find(self, listed: Collection[str], anchors: Sequence[str]) -> Iterator[Finding]:
        view = self._view
        yield from view.findings
        yield from self._pending.findings
        for name, check in self.checks.items():
            yield from check.findings
            yield from self._compared(name, check)
        for name in view.begun.keys() - self.checks.keys() - view.retired - set(listed):
            end = view.sealed.get(name)
            rows = f"{end.rows} rows" if end else "it was not sealed yet"
            yield Finding(name, None, f"is missing: it was removed ({rows})")
        if not view.begun and any(check.is_chained and check.good_bytes for check in self.checks.values()):
            yield Finding(CHAIN, None, "is missing or empty, though there are records: it was removed")
        if self._seals and view.newest != NO_ENTRY and not view.is_signed:
            why = "is not signed, though a key is given: start the service with the key, or the chain was written anew"
            yield Finding(CHAIN, None, why)
        for anchor in anchors:
            if anchor not in view.hashes:
                yield Finding(CHAIN, None, f"the anchor {anchor} is not in it: it was cut or written anew")

    def _compared(self, name: str, check: SegmentCheck) -> Iterator[Finding]:
        """What is wrong between a segment and the chain."""
        view = self._view
        begun, sealed = view.begun.get(name), view.sealed.get(name)
        if begun is None:
            known = not check.is_chained and not view.found.isdisjoint((name, f"{name.removesuffix('.log')}.parquet"))
            if not known and (check.rows or check.findings):
                yield Finding(name, None, "is not in chain.log: it was added")
            return
        if (check.rows or check.findings) and (not check.is_chained or check.head_hash != begun.head):
            yield Finding(name, 1, "is not the head that chain.log says")
        elif check.head and view.hashes.get(check.head.previous, begun.number) >= begun.number:
            yield Finding(CHAIN, None, f"the entry that was the newest when {name} began is not in it")
        if sealed and check.seal is None:
            yield Finding(name, None, f"ends without its seal, after {check.rows} of {sealed.rows} rows: it was cut")
        elif sealed and check.seal and check.seal.hash != sealed.seal:
            yield Finding(name, None, "does not end with the seal that chain.log says")
        if name in view.removed:
            yield Finding(name, None, "was found removed or changed by the service that wrote it")
        pending = self._pending.rows.get(name, 0)
        recorded = view.erased[name] + (pending if self._pending.erasure not in view.erasures else 0)
        if check.erased > recorded:
            yield Finding(name, None, f"{check.erased - recorded} rows are erased without a record")
        elif check.erased < recorded - pending and not check.findings:
            yield Finding(name, None, f"{recorded - check.erased} rows are back that had been erased")

    def notes(self) -> list[str]:
        """In words, what is not proved."""
        view, notes = self._view, []
        earlier = sum(not check.is_chained for check in self.checks.values())
        unsealed = sum(check.is_chained and check.seal is None and check.rows > 0 for check in self.checks.values())
        unsigned = sum(check.seal is not None and not check.seal.signature.signed_by for check in self.checks.values())
        for number, what in (
            (earlier, "unsealed: written by an earlier version, so a change would not be found"),
            (unsealed, "not sealed yet: the lines so far fit together"),
            (unsigned, "sealed without a key: whoever can write the files can make such seals"),
        ):
            if number:
                notes.append(f"{number} of {len(self.checks)} segments {what}")
        if view.is_signed and not self._seals:
            notes.append("no key of the seals was given, so signatures were not checked")
        if self._pending.note:
            notes.append(self._pending.note)
        return notes


def _files(directory: Path) -> dict[str, Path]:
    """The file of each segment; after a compaction that was interrupted, which leaves both, its archive."""
    return {f"{path.stem}.log": path for path in (*segments(directory), *archives(directory))}
