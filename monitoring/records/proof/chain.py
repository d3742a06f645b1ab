r"""`<directory>/chain.log`: what has happened to the log, one signed entry each, in one order over all processes.

Owns: the file, its entries, appending, and whether it is whole. Leaves to others: what is recorded and when
(segment_proof, sealing, erasure_journal, retention), and comparing it with the files (verification).

    {"entry":{"event":"sealed","segment":"...",...,"number":4,"time":"...","previous":"60303a..."},
     "signed_by":"5d41402a","signature":"..."}\n

`previous` is the hash of the entry before, with its signature. An entry names segments and numbers, and nobody, so the
file is kept when records are deleted. The lock is held for one small write; syncing comes after it.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from monitoring.records.durable import PRIVATE
from monitoring.records.lines import NOT_JSON
from monitoring.records.proof.seal_keys import SealKeys, Signature
from monitoring.records.proof.segment_ends import sha256
from monitoring.records.segments import archives, segments

NO_ENTRY = "0" * 64  # in the place of the hash of the entry before, where there is none
PURPOSE = b"chain entry"
_TAIL_BYTES = 65_536
_RETRY_S = 0.002


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened.

    Attributes:
        event: `found`, the first one; `begun` and `sealed` of a segment by its writer or by upkeep; `removed`: its
            writer found it gone; `erased` and `retired` of some segments, archived or not.
        segment: file name.
        head: of a begun one: hash of its head.
        rows: of a sealed one.
        seal: of a sealed one: hash of its seal.
        newest: of a sealed one: the time of its newest row.
        erasure: id of an erasure.
        erased: rows erased, by segment.
        retired: segments deleted because of their age.
        found: of the first entry of all: files that were there before the chain was.
    """

    event: Literal["found", "begun", "sealed", "removed", "erased", "retired"]
    segment: str = ""
    head: str = ""
    rows: int = 0
    seal: str = ""
    newest: datetime | None = None
    erasure: str = ""
    erased: dict[str, int] = {}
    retired: list[str] = []
    found: list[str] = []


class Entry(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event in its place.

    Attributes:
        number: of entries before it.
        time: of recording, in UTC.
        previous: hash of the entry before, hexadecimal.
    """

    number: int = -1
    time: datetime
    previous: str


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    entry: msgspec.Raw
    signed_by: str
    signature: str


class ReadEntry(NamedTuple):
    """An entry as it was read; None where the line is none. `hash` is that of its line, hexadecimal."""

    entry: Entry | None
    hash: str
    signed: bytes
    signature: Signature


def chain_path(directory: Path) -> Path:
    """Return the path of the chain of the records in `directory`."""
    return directory / "chain.log"


def read_chain(directory: Path) -> list[ReadEntry]:
    """Read every complete line; empty if there is no chain yet."""
    try:
        content = chain_path(directory).read_bytes()
    except FileNotFoundError:
        return []
    return [_parse(line) for line in content.split(b"\n")[:-1]]


class Newest(NamedTuple):
    """The newest entry: its hash, the id of the key that signed it, empty if none did, and the number of entries."""

    hash: str = NO_ENTRY
    signed_by: str = ""
    entries: int = 0


def newest(directory: Path) -> Newest:
    """The newest entry, whose hash is the anchor of all that was recorded before; reads the end of the file only."""
    try:
        with chain_path(directory).open("rb") as file:
            last = _last_line(file.fileno())
    except FileNotFoundError:
        return Newest()
    if not last:
        return Newest()
    read = _parse(last)
    return Newest(read.hash, read.signature.signed_by, read.entry.number + 1 if read.entry else 0)


def append(directory: Path, event: Event, keys: SealKeys, wait_s: float = 10.0, sync: bool = True) -> str:
    """Append an entry and return its hash.

    Args:
        directory: that holds the records.
        event: what happened.
        keys: to sign with.
        wait_s: seconds to wait for others that append.
        sync: whether the entry is on disk when this returns.

    Raises:
        BlockingIOError: others held the lock all the time.
        OSError: the disk is full.
    """
    with _locked(chain_path(directory), wait_s) as descriptor:
        last = _last_line(descriptor)
        if not last:
            found = sorted(path.name for path in (*segments(directory), *archives(directory)))
            last = _append(descriptor, Event(event="found", found=found), b"", keys)
        line = _append(descriptor, event, last, keys)
        if sync:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.fsync(descriptor)
    return sha256(line)


def sync_chain(directory: Path) -> None:
    """Have on disk what writers have appended, which do not wait for that."""
    with suppress(FileNotFoundError), chain_path(directory).open("rb") as file:
        os.fsync(file.fileno())


def _append(descriptor: int, event: Event, last: bytes, keys: SealKeys) -> bytes:
    """Append an entry after the line `last`, and return its line; change nothing if the disk is full."""
    before = _parse(last).entry if last else None
    number = 0 if not last else before.number + 1 if before and before.number >= 0 else _count_lines(descriptor)
    fields = {**msgspec.structs.asdict(event), "number": number, "time": datetime.now(UTC)}
    content = msgspec.json.encode(Entry(**fields, previous=sha256(last) if last else NO_ENTRY))
    line = msgspec.json.encode(_Line(msgspec.Raw(content), *keys.sign(PURPOSE, content)))
    end = os.lseek(descriptor, 0, os.SEEK_END)
    if os.write(descriptor, line + b"\n") != len(line) + 1:
        os.ftruncate(descriptor, end)
        raise OSError(errno.ENOSPC, "incomplete write")
    return line


def _count_lines(descriptor: int) -> int:
    """The number of lines, where the last one does not say it: it is damaged, or follows a damaged one."""
    size, at, lines = os.fstat(descriptor).st_size, 0, 0
    while at < size:
        part = os.pread(descriptor, _TAIL_BYTES, at)
        lines += part.count(b"\n")
        at += len(part)
    return lines


def _parse(line: bytes) -> ReadEntry:
    try:
        read = msgspec.json.decode(line, type=_Line)
        signed = bytes(read.entry)
        entry = msgspec.json.decode(signed, type=Entry)
    except NOT_JSON:
        return ReadEntry(None, sha256(line), b"", Signature())
    whole = msgspec.json.encode(read) == line
    return ReadEntry(entry if whole else None, sha256(line), signed, Signature(read.signed_by, read.signature))


@contextmanager
def _locked(path: Path, wait_s: float) -> Iterator[int]:
    """Open the file for appending, and hold its lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, PRIVATE)
    try:
        deadline_s = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    raise
                time.sleep(_RETRY_S)
        yield descriptor
    finally:
        os.close(descriptor)


def _last_line(descriptor: int) -> bytes:
    """The last complete line, without its line feed; drops a torn one if the file is open for writing."""
    size = os.fstat(descriptor).st_size
    length = min(size, _TAIL_BYTES)
    while True:
        tail = os.pread(descriptor, length, size - length)
        lines = tail.split(b"\n")
        if len(lines) > 2 or length == size:
            break
        length = min(size, 4 * length)
    if lines[-1] and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_RDWR:
        os.ftruncate(descriptor, size - len(lines[-1]))
    return lines[-2] if len(lines) > 1 else b""
