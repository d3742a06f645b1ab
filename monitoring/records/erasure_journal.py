"""What an erasure is about to change, written down first, so that a kill leaves all of it or nothing.

Owns: `<directory>/erasure.journal`, and `<directory>/erasures.log`, the record of what was erased. Leaves to others:
what is changed (erasure), being alone (upkeep).

    1. prepare   `<name>.parquet.next` beside each archive that changes   a kill leaves leftovers, deleted
    2. commit    the journal, by one rename                               the commit point
    3. apply     lines written over, archives renamed, record written     `recover` does all of it again
    4. close     the journal is deleted

Lines are written over in place, by others of the same length, so a service may go on appending to that segment, and the
sequence numbers, the checkpoint and every offset stay right. Where a kill cuts such a write short, the line is damaged
until `recover`. The journal holds the new lines: of the person erased it says nothing, of others what the log says.
"""

import hashlib
import os
import secrets
from datetime import datetime
from itertools import groupby
from pathlib import Path

import msgspec

from monitoring.records.durable import PRIVATE, sync_folders, write
from monitoring.records.segments import next_path


class Edit(msgspec.Struct, frozen=True):
    """Bytes that take the place of as many others of a segment, from `offset` on."""

    segment: str
    offset: int
    line: bytes


class ErasureRecord(msgspec.Struct, frozen=True):
    """That something was erased: the id is not kept, but who knows it can tell whether this was it (`matches`).

    Attributes:
        erasure: a random name.
        time: in UTC.
        rows: that were erased.
        salt: random, hexadecimal.
        digest: scrypt of the id with that salt, hexadecimal: 16 MB and 50 ms a guess.
    """

    erasure: str
    time: datetime
    rows: int
    salt: str
    digest: str

    def matches(self, application_id: str) -> bool:
        """Whether this is the erasure of `application_id`."""
        return self.digest == digest(application_id, self.salt)


class Journal(msgspec.Struct, frozen=True):
    """One erasure, or one part of a large one; `archives` are paths below the directory of the records."""

    record: ErasureRecord
    edits: list[Edit]
    archives: list[str]


def make_record(application_id: str, rows: int, now: datetime) -> ErasureRecord:
    """Make the record of an erasure."""
    salt = secrets.token_hex(16)
    return ErasureRecord(secrets.token_hex(8), now, rows, salt, digest(application_id, salt))


def digest(application_id: str, salt: str) -> str:
    """Give the digest that a record keeps of an id."""
    return hashlib.scrypt(application_id.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def read_records(directory: Path) -> list[ErasureRecord]:
    """Read what has been erased under `directory`, oldest first."""
    path = directory / "erasures.log"
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=ErasureRecord) for line in path.read_bytes().splitlines()]


def commit(directory: Path, journal: Journal) -> None:
    """Make `journal` something that will be done."""
    temporary = directory / "erasure.journal.next"
    write(temporary, msgspec.json.encode(journal), PRIVATE)
    temporary.replace(journal_path(directory))
    sync_folders([temporary])


def recover(directory: Path) -> int:
    """Do what was committed, and delete what was not; returns how many rows that erases. For the holder of the lock."""
    rows = 0
    path = journal_path(directory)
    if path.exists():
        journal = msgspec.json.decode(path.read_bytes(), type=Journal)
        apply(directory, journal)
        path.unlink()
        sync_folders([path])
        rows = journal.record.rows
    discard_prepared(directory)
    return rows


def discard_prepared(directory: Path) -> None:
    """Delete what was prepared and never committed, here and by compaction."""
    for leftover in (*directory.glob("erasure*.next"), *(directory / "archive").glob("*/*.next")):
        leftover.unlink()


def apply(directory: Path, journal: Journal) -> None:
    """Do what a journal says; to do it again changes nothing."""
    for segment, edits in groupby(journal.edits, key=lambda edit: edit.segment):
        _overwrite(directory / "decisions" / segment, list(edits))
    moved = []
    for name in journal.archives:
        archive = directory / name
        if next_path(archive).exists():
            next_path(archive).replace(archive)
            moved.append(archive)
    sync_folders(moved)
    _append_record(directory, journal.record)


def journal_path(directory: Path) -> Path:
    """Tell where the journal of an erasure lies while there is one."""
    return directory / "erasure.journal"


def _overwrite(segment: Path, edits: list[Edit]) -> None:
    """Write lines over others, synced; the segment stays as old as it is (retention). One that is gone is left."""
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


def _append_record(directory: Path, record: ErasureRecord) -> None:
    """Add to the record of erasures, once."""
    kept = read_records(directory)
    if all(other.erasure != record.erasure for other in kept):
        path = directory / "erasures.log"
        temporary = path.with_suffix(".log.next")
        write(temporary, b"".join(msgspec.json.encode(one) + b"\n" for one in [*kept, record]), PRIVATE)
        temporary.replace(path)
        sync_folders([path])
