"""Erasure: an applicant's rows lose id and values, wherever they lie; everything that is counted stays.

Owns: finding the rows, and what is left of them: time, model, protocol, probability, decision. Leaves to others: doing
it so that a kill cannot harm (journal), Parquet (archive), being alone (upkeep).

Only rows that have been profiled are erased, so that no reader is in the middle of a line that changes: let the
profiler catch up first. Profiles hold no ids, and an applicant cannot be taken out of their counts.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from monitoring.records import checkpoint, erasure_journal
from monitoring.records.cipher import SegmentLines
from monitoring.records.erasure_journal import Edit, Journal
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, is_closed, next_path, read_lines, segments, size_bytes

MAX_EDIT_BYTES = 32 * 2**20  # of lines in one journal: bounds memory where an id stands in half of the log

_NO_VALUES = msgspec.Raw(b"[]")


class _RawBatch(msgspec.Struct):
    """A batch of which everything but the applicants stays as the bytes that it is."""

    sequence: int
    time: msgspec.Raw
    model: msgspec.Raw
    fields: list[str]
    rows: list[msgspec.Raw]


class _RawRow(msgspec.Struct, array_like=True):
    """A row of it."""

    protocol: msgspec.Raw
    probability: msgspec.Raw
    decision: msgspec.Raw
    values: msgspec.Raw


class Erasure(NamedTuple):
    """How many rows were erased; `later` ones are not profiled yet, so they are still there."""

    rows: int
    pending: int


class Plan(NamedTuple):
    """What is to be written down, None for nothing; `more` if some did not fit."""

    journal: Journal | None
    pending: int
    has_more: bool


class _Matches(NamedTuple):
    edits: list[Edit]
    keys: set[tuple[str, int]]  # segment and number of each row
    pending: int
    has_more: bool  # edits that did not fit


def erase(directory: Path, application_id: str, keys: LogKeys = NO_KEYS) -> Erasure:
    """Erase every profiled row of an applicant; only for the holder of the lock, after `recover`.

    Raises:
        KeyMissing: something is encrypted with another key; nothing was erased.
        OSError: the disk is full; what was not erased still can be.
    """
    rows = 0
    while True:
        try:
            plan = prepare(directory, application_id, keys)
            if plan.journal is None:
                return Erasure(rows, plan.pending)
            erasure_journal.commit(directory, plan.journal)
        except Exception:
            if not erasure_journal.journal_path(directory).exists():
                erasure_journal.discard_prepared(directory)
            raise
        rows += erasure_journal.recover(directory)
        if not plan.has_more:
            return Erasure(rows, plan.pending)


def prepare(directory: Path, application_id: str, keys: LogKeys = NO_KEYS) -> Plan:
    """Find the rows of an applicant, and write the archives that they are in anew, beside the old ones."""
    found = _find(directory, application_id, keys)
    changed, archived = _prepare_archives(directory, application_id, keys)
    if not found.edits and not changed:
        return Plan(None, found.pending, has_more=False)
    number = len(found.keys | archived)  # a row may be in both, where a compaction was killed
    record = erasure_journal.make_record(application_id, number, datetime.now(UTC))
    return Plan(Journal(record, found.edits, changed), found.pending, found.has_more)


def _find(directory: Path, application_id: str, keys: LogKeys) -> _Matches:
    """Look through the segments; reads every line, and decodes those with these characters."""
    done = checkpoint.load(checkpoint.profiles_directory(directory))
    found = _Matches([], set(), 0, False)
    needle = msgspec.json.encode(application_id)
    size = later = 0
    for segment in segments(directory):
        lines = keys.lines(segment.name)
        offset, profiled = 0, done.position(segment).offset
        for line, end in read_lines(segment, 0, bytes):
            offset, start = end, offset
            edited = _erase_from_line(line, lines, needle, application_id)
            if edited is None:
                continue
            content, numbers = edited
            if end > profiled and numbers:
                later += len(numbers)
                continue
            found.edits.append(Edit(segment.name, start, content))
            found.keys.update((segment.name, number) for number in numbers)
            size += len(content)
            if size > MAX_EDIT_BYTES:
                return found._replace(pending=later, has_more=True)
        tail = _torn_tail(segment, offset)
        if needle in tail:
            found.edits.append(Edit(segment.name, offset, b" " * len(tail)))
    return found._replace(pending=later)


def _erase_from_line(
    line: bytes, lines: SegmentLines, needle: bytes, application_id: str
) -> tuple[bytes, list[int]] | None:
    """Give a line without an applicant, of the same length, and the numbers of its erased rows; None if not in it.

    A damaged line in which the id can be read becomes blanks.
    """
    payload = lines.payload(line)
    if needle not in (line if payload is None else payload):
        return None
    sheet = None if payload is None else _read(payload)
    if payload is None or sheet is None:
        return b" " * (len(line) - 1) + b"\n", []
    numbers = []
    for index, raw in enumerate(sheet.rows):
        if needle in bytes(raw):
            row = msgspec.json.decode(raw, type=_RawRow)
            values = dict(zip(sheet.fields, msgspec.json.decode(row.values), strict=False))
            if values.get("application_id") == application_id:
                row.values = _NO_VALUES
                sheet.rows[index] = msgspec.Raw(msgspec.json.encode(row))
                numbers.append(sheet.sequence + index)
    if not numbers:
        return None
    if all(msgspec.json.decode(raw, type=_RawRow).values == _NO_VALUES for raw in sheet.rows):
        sheet.fields = []  # which ones somebody brought tells of them too
    return lines.rewritten(line, msgspec.json.encode(sheet).ljust(len(payload))), numbers


def _read(payload: bytes) -> _RawBatch | None:
    try:
        return msgspec.json.decode(payload, type=_RawBatch)
    except msgspec.DecodeError:
        return None


def _torn_tail(segment: Path, offset: int) -> bytes:
    """Read what a writer that died has left behind the last line."""
    if size_bytes(segment) == offset or not is_closed(segment):
        return b""
    with segment.open("rb") as file:
        file.seek(offset)
        return file.read()


def _prepare_archives(directory: Path, application_id: str, keys: LogKeys) -> tuple[list[str], set[tuple[str, int]]]:
    """Write the new content of each archive that changes beside it; gives their paths, and which rows that erases."""
    changed: list[str] = []
    numbers: set[tuple[str, int]] = set()
    paths = archives(directory)
    if paths:
        from monitoring.records import archive
    for path in paths:
        hits = archive.find_rows(path, application_id, keys)
        if hits:
            archive.write_erased(next_path(path), path, application_id, keys)
            changed.append(str(path.relative_to(directory)))
            numbers |= hits
    return changed, numbers
