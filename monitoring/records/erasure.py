"""Erasure: removes an applicant's id and values from every row in segments and archives; all counts stay.

Owns: finding the rows. What remains of them is time, model, protocol, caller, probability and decision. Leaves to
others: the new line (line_erasure), making the change safe against a kill (erasure_journal), Parquet (archive), mutual
exclusion (upkeep).

Only profiled rows are erased, so that no reader is inside a line that changes: let the profiler catch up first.
Profiles hold no ids, and an applicant cannot be removed from their counts.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from monitoring.records import checkpoint, erasure_journal
from monitoring.records.erasure_journal import Edit, Journal
from monitoring.records.line_erasure import erase_from_line
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, is_closed, next_path, read_lines, segments, size_bytes

MAX_EDIT_BYTES = 32 * 2**20  # of lines in one journal: bounds memory if an id is in half of the log


class Erasure(NamedTuple):
    """The number of rows erased, and of `pending` rows, which are left because they are not profiled yet."""

    rows: int
    pending: int


class Plan(NamedTuple):
    """The journal to commit, None if nothing changes; `has_more` if some edits did not fit."""

    journal: Journal | None
    pending: int
    has_more: bool


class _Matches(NamedTuple):
    edits: list[Edit]
    keys: set[tuple[str, int]]  # segment and sequence number of each row
    pending: int
    has_more: bool  # edits that did not fit


def erase(directory: Path, application_id: str, keys: LogKeys = NO_KEYS) -> Erasure:
    """Erase every profiled row of an applicant; call it under `exclusive_upkeep`.

    Raises:
        KeyMissing: a segment or an archive is encrypted with another key; nothing was erased.
        OSError: the disk is full; the remaining rows can be erased later.
    """
    rows = 0
    while True:
        try:
            plan = prepare(directory, application_id, keys)
            if plan.journal is None:
                return Erasure(rows, plan.pending)
            erasure_journal.commit(directory, plan.journal, keys.seals)
        except Exception:
            if not erasure_journal.journal_path(directory).exists():
                erasure_journal.discard_prepared(directory)
            raise
        rows += erasure_journal.recover(directory, keys.seals)
        if not plan.has_more:
            return Erasure(rows, plan.pending)


def prepare(directory: Path, application_id: str, keys: LogKeys = NO_KEYS) -> Plan:
    """Find the rows of an applicant, and write a new version of their archives beside the old ones."""
    found = _find_rows(directory, application_id, keys)
    changed, archived = _prepare_archives(directory, application_id, keys)
    if not found.edits and not changed:
        return Plan(None, found.pending, has_more=False)
    number = len(found.keys | archived)  # after a killed compaction a row may be in both
    record = erasure_journal.make_record(application_id, number, datetime.now(UTC))
    by_segment = dict(Counter(segment for segment, _ in found.keys | archived))
    return Plan(Journal(record, found.edits, changed, by_segment), found.pending, found.has_more)


def _find_rows(directory: Path, application_id: str, keys: LogKeys) -> _Matches:
    """Search the segments: read every line, and decode those that contain the text of the id."""
    done = checkpoint.of_log(directory)
    found = _Matches([], set(), 0, False)
    needle = msgspec.json.encode(application_id)
    size = pending = 0
    for segment in segments(directory):
        lines = keys.lines(segment)
        offset, profiled = 0, done.position(segment).offset
        for line, end in read_lines(segment, 0, bytes):
            offset, start = end, offset
            edited = erase_from_line(line, lines, needle, application_id)
            if edited is None:
                continue
            content, numbers = edited
            if end > profiled and numbers:
                pending += len(numbers)
                continue
            found.edits.append(Edit(segment.name, start, content))
            found.keys.update((segment.name, number) for number in numbers)
            size += len(content)
            if size > MAX_EDIT_BYTES:
                return found._replace(pending=pending, has_more=True)
        tail = _torn_tail(segment, offset)
        if needle in tail:
            found.edits.append(Edit(segment.name, offset, b" " * len(tail)))
    return found._replace(pending=pending)


def _torn_tail(segment: Path, offset: int) -> bytes:
    """Return what a dead writer has left after the last complete line."""
    if size_bytes(segment) == offset or not is_closed(segment):
        return b""
    with segment.open("rb") as file:
        file.seek(offset)
        return file.read()


def _prepare_archives(directory: Path, application_id: str, keys: LogKeys) -> tuple[list[str], set[tuple[str, int]]]:
    """Write the new content of each archive that changes beside it; return their paths and the erased rows."""
    changed: list[str] = []
    numbers: set[tuple[str, int]] = set()
    paths = archives(directory)
    if paths:
        from monitoring.records import archive
    for path in paths:
        rows = archive.find_rows(path, application_id, keys)
        if rows:
            archive.write_erased(next_path(path), path, application_id, keys)
            changed.append(str(path.relative_to(directory)))
            numbers |= rows
    return changed, numbers
