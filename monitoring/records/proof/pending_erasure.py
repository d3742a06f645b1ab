"""What an erasure that is running, or was interrupted, explains of what `verify` sees; and whether it may be believed.

Owns: which part of `erasure.journal` counts. Leaves to others: the journal itself (erasure_journal), comparing lines
(segment_check) and numbers of rows (verification).

Whoever can write the files can write a journal, so it must not hide anything. With the seal's private key its code is
checked. Without, it counts for no segment that `chain.log` says is sealed if there are public keys; and a line in the
file that can be read has to be the one that the journal erases rows of, whatever the keys are.
"""

from collections.abc import Collection
from pathlib import Path

from monitoring.records import erasure_journal
from monitoring.records.erasure_journal import DamagedRecord, UnknownJournal
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof import chain
from monitoring.records.proof.chain_view import ChainView
from monitoring.records.proof.segment_check import Finding


class PendingErasure:
    """The erasure in the journal of some records; nothing if there is none.

    Args:
        directory: that holds the records.
        keys: of the log.

    Attributes:
        findings: what is wrong with the journal, or with the record of past erasures.
        note: in words, what is not proved because of it; empty for nothing.
        edits: the lines that stand for those in the files, by segment and offset.
        erasure: its id; empty for none.
        rows: that it erases, by segment.
    """

    def __init__(self, directory: Path, keys: LogKeys) -> None:
        self.findings: list[Finding] = []
        self.note = self.erasure = ""
        self.edits: dict[str, dict[int, bytes]] = {}
        self.rows: dict[str, int] = {}
        try:
            journal = erasure_journal.load(directory)
            if journal is not None:
                erasure_journal.refuse_unknown(directory, journal, keys.seals)
        except (DamagedRecord, UnknownJournal) as error:
            path = erasure_journal.journal_path(directory)
            self.findings.append(Finding(path.name, None, str(error).removeprefix(f"{path}: ")))
            journal = None
        if journal is not None:
            skipped: Collection[str] = ()
            if keys.seals and not keys.seals.signer:
                skipped = ChainView(chain.read_chain(directory), keys).sealed.keys()
                self.note = (
                    "an erasure is running or was interrupted: without the private key of the seals its journal counts "
                    "for no sealed segment; run `retain`, which finishes it, and verify again"
                )
            self.erasure = journal.record.erasure
            self.rows = {name: rows for name, rows in journal.segments.items() if name not in skipped}
            for edit in journal.edits:
                if edit.segment not in skipped:
                    self.edits.setdefault(edit.segment, {})[edit.offset] = edit.line
        try:
            erasure_journal.read_records(directory)
        except DamagedRecord as error:
            path = erasure_journal.records_path(directory)
            self.findings.append(Finding(path.name, None, str(error).removeprefix(f"{path}: ")))
