"""The write-ahead journal of an erasure, which makes it atomic: after a kill either all of it happens or nothing.

Owns: `<directory>/erasure.journal`, and `<directory>/erasures.log`, the record of past erasures. Leaves to others: what
is changed (erasure), mutual exclusion (upkeep).

    1. prepare   write `<name>.parquet.next` beside each archive that changes   after a kill `recover` deletes it
    2. commit    rename the journal into place                                  the commit point
    3. apply     overwrite lines, rename archives, write the record             after a kill `recover` repeats it all
    4. close     delete the journal

Lines are overwritten in place by lines of the same length: a service keeps appending to the segment, and sequence
numbers, checkpoint and offsets stay valid. A kill during such a write leaves the line damaged until `recover`. The
journal holds the new lines: nothing about the erased applicant, and of others what the log holds.
"""

import hashlib
import os
import secrets
from datetime import datetime
from itertools import groupby
from pathlib import Path

import msgspec

from monitoring.records.durable import PRIVATE, sync_folders, write
from monitoring.records.id_indexing import forget
from monitoring.records.lines import NOT_JSON
from monitoring.records.proof import chain
from monitoring.records.proof.seal_keys import NO_SEAL_KEYS, SealKeys
from monitoring.records.segments import next_path


class Edit(msgspec.Struct, frozen=True):
    """Bytes that overwrite equally many bytes of a segment, starting at `offset`."""

    segment: str
    offset: int
    line: bytes


class ErasureRecord(msgspec.Struct, frozen=True):
    """The record of one erasure. It does not hold the id, but someone who knows the id can check it (`matches`).

    Attributes:
        erasure: a random id of this erasure.
        time: of the erasure, in UTC.
        rows: number of rows erased.
        salt: random, hexadecimal.
        digest: scrypt of the applicant's id with that salt, hexadecimal; each guess costs 16 MB and 50 ms.
    """

    erasure: str
    time: datetime
    rows: int
    salt: str
    digest: str

    def matches(self, application_id: str) -> bool:
        """Return whether this is the erasure of `application_id`."""
        return self.digest == digest(application_id, self.salt)


class Journal(msgspec.Struct, frozen=True):
    """One erasure, or one part of a large one.

    Attributes:
        record: what is kept of it.
        edits: of segments.
        archives: that change, by their paths relative to the directory of the records.
        segments: number of rows erased in each segment, archived ones included, for `chain.log`.
        mac: code of all the others, hexadecimal, if the erasing process had the seal's key (`code`).
    """

    record: ErasureRecord
    edits: list[Edit]
    archives: list[str]
    segments: dict[str, int] = {}
    mac: str = ""

    def code(self, seals: SealKeys, key: str) -> str:
        """The code that only a holder of this key can make; empty if this process is none."""
        mac = seals.mac(key, "erasure.journal")
        content = msgspec.json.encode(msgspec.structs.replace(self, mac=""))
        return f"{key}:{mac(hashlib.sha256(content).digest()).hex()}" if mac else ""


class DamagedRecord(OSError):  # noqa: N818 - named after what is wrong, as UnknownJournal is
    """A file about erasures that is not as it was written."""

    def __init__(self, path: Path, remedy: str) -> None:
        super().__init__(f"{path}: is damaged, or was not written by `erase`; {remedy}")


class UnknownJournal(OSError):  # noqa: N818 - a state that ends when the key is given
    """A journal that was not written by a holder of the seal's key, and is therefore not applied."""

    def __init__(self, path: Path) -> None:
        remedy = "move it away, and run `erase` again"
        super().__init__(f"{path}: was not written with the seal's key, so it is not applied; {remedy}")


def make_record(application_id: str, rows: int, now: datetime) -> ErasureRecord:
    """Create the record of an erasure."""
    salt = secrets.token_hex(16)
    return ErasureRecord(secrets.token_hex(8), now, rows, salt, digest(application_id, salt))


def digest(application_id: str, salt: str) -> str:
    """Return the digest of an id that a record holds."""
    return hashlib.scrypt(application_id.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def read_records(directory: Path) -> list[ErasureRecord]:
    """Read the records of past erasures under `directory`, oldest first.

    Raises:
        DamagedRecord: one cannot be decoded.
    """
    path = records_path(directory)
    if not path.exists():
        return []
    try:
        return [msgspec.json.decode(line, type=ErasureRecord) for line in path.read_bytes().splitlines()]
    except NOT_JSON:
        raise DamagedRecord(path, "put it back from a backup, or move it away") from None


def commit(directory: Path, journal: Journal, seals: SealKeys = NO_SEAL_KEYS) -> None:
    """Write `journal` durably; from here on the erasure will be applied."""
    temporary = directory / "erasure.journal.next"
    journal = msgspec.structs.replace(journal, mac=journal.code(seals, seals.signer))
    write(temporary, msgspec.json.encode(journal), PRIVATE)
    temporary.replace(journal_path(directory))
    sync_folders([temporary])


def load(directory: Path) -> Journal | None:
    """Read the journal; None if no erasure is running or was interrupted.

    Raises:
        DamagedRecord: it cannot be decoded.
    """
    path = journal_path(directory)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except NOT_JSON:
        raise DamagedRecord(path, "move it away, and run `erase` again") from None


def refuse_unknown(directory: Path, journal: Journal, seals: SealKeys) -> None:
    """Refuse a journal that lacks the code of a holder of the seal's key, unless this process is none either.

    Raises:
        UnknownJournal: it does.
    """
    if seals.signer and journal.mac != (journal.code(seals, journal.mac.partition(":")[0]) or None):
        raise UnknownJournal(journal_path(directory))


def recover(directory: Path, seals: SealKeys = NO_SEAL_KEYS) -> int:
    """Apply a committed journal and discard what was only prepared; return the number of rows erased.

    The caller must hold the lock.

    Raises:
        UnknownJournal: this process has the seal's key, and the one that wrote the journal had not.
        DamagedRecord: the journal, or the log of erasures, cannot be decoded.
    """
    rows = 0
    journal = load(directory)
    if journal is not None:
        path = journal_path(directory)
        refuse_unknown(directory, journal, seals)
        apply(directory, journal, seals)
        path.unlink()
        sync_folders([path])
        rows = journal.record.rows
    discard_prepared(directory)
    return rows


def discard_prepared(directory: Path) -> None:
    """Delete what an erasure or a compaction has prepared and not committed."""
    for leftover in (*directory.glob("erasure*.next"), *(directory / "archive").glob("*/*.next")):
        leftover.unlink()


def apply(directory: Path, journal: Journal, seals: SealKeys = NO_SEAL_KEYS) -> None:
    """Apply a journal; idempotent."""
    _append_to_chain(directory, journal, seals)
    for segment, edits in groupby(journal.edits, key=lambda edit: edit.segment):
        _overwrite(directory / "decisions" / segment, list(edits))
    moved = []
    for name in journal.archives:
        archive = directory / name
        if next_path(archive).exists():
            next_path(archive).replace(archive)
            moved.append(archive)
    sync_folders(moved)
    changed = {edit.segment for edit in journal.edits}.union(journal.archives)
    forget(directory, map(Path, sorted(changed)))
    _append_record(directory, journal.record)


def journal_path(directory: Path) -> Path:
    """Return the path of the journal, which exists only during an erasure."""
    return directory / "erasure.journal"


def records_path(directory: Path) -> Path:
    """Return the path of the log of erasures."""
    return directory / "erasures.log"


def _overwrite(segment: Path, edits: list[Edit]) -> None:
    """Overwrite lines, synced, and keep the modification time (retention); ignore a deleted segment."""
    try:
        descriptor = os.open(segment, os.O_WRONLY)
    except FileNotFoundError:
        return
    try:
        before = os.fstat(descriptor)
        for edit in edits:
            os.pwrite(descriptor, edit.line, edit.offset)
        os.fsync(descriptor)
        os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
    finally:
        os.close(descriptor)


def _append_to_chain(directory: Path, journal: Journal, seals: SealKeys) -> None:
    """Record which rows are erased, before they are, unless that is done."""
    known = (read.entry.erasure for read in chain.read_chain(directory) if read.entry)
    if journal.segments and journal.record.erasure not in known:
        event = chain.Event(event="erased", erasure=journal.record.erasure, erased=journal.segments)
        chain.append(directory, event, seals)


def _append_record(directory: Path, record: ErasureRecord) -> None:
    """Append a record to the log of erasures, unless it is there."""
    existing = read_records(directory)
    if record.erasure not in [other.erasure for other in existing]:
        path = records_path(directory)
        temporary = path.with_suffix(".log.next")
        write(temporary, b"".join(msgspec.json.encode(one) + b"\n" for one in [*existing, record]), PRIVATE)
        temporary.replace(path)
        sync_folders([path])
