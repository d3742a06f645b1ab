"""A line of the log without an applicant, of the same length.

Owns: what becomes of a line. Leaves to others: which lines, and writing them (erasure, erasure_journal), what an erased
row looks like and why the chain stays as it is (commitments).
"""

from collections.abc import Sequence

import msgspec

from monitoring.records.cipher import SegmentLines
from monitoring.records.commitments import ChainedLine, take_apart
from monitoring.records.lines import SentRow, decode_batch, decode_row_range, framed
from monitoring.records.proof.segment_ends import is_end

_NO_VALUES = msgspec.Raw(b"[]")
_decode_fields = msgspec.json.Decoder(list[str]).decode
_decode_sent = msgspec.json.Decoder(SentRow).decode


class _EarlierBatch(msgspec.Struct):
    """A batch of an earlier version, in which everything but the list of rows keeps its bytes."""

    sequence: int
    time: msgspec.Raw
    model: msgspec.Raw
    fields: list[str]
    rows: list[msgspec.Raw]


class _EarlierRow(msgspec.Struct, array_like=True):
    """A row of an earlier version, in which everything keeps its bytes."""

    protocol: msgspec.Raw
    probability: msgspec.Raw
    decision: msgspec.Raw
    values: msgspec.Raw


def erase_from_line(
    line: bytes, lines: SegmentLines, needle: bytes, application_id: str
) -> tuple[bytes, list[int]] | None:
    """Return a line of the same length without the applicant, and the numbers of its erased rows; None if no change.

    A damaged line in which the id is readable is blanked.

    Args:
        line: of the segment that `lines` reads.
        lines: its reader.
        needle: the id as JSON.
        application_id: of the applicant.
    """
    payload = lines.payload(line)
    if needle not in (line if payload is None else payload):
        return None
    if payload is not None and is_end(payload):  # an id may be a word that stands there
        return None
    row_range = None if payload is None or decode_batch(payload) is None else decode_row_range(framed(payload))
    if payload is None or row_range is None:
        return b" " * (len(line) - 1) + b"\n", []
    content, indexes = erase_from_payload(payload, needle, application_id)
    if not indexes:
        return None
    return lines.rewritten(line, content.ljust(len(payload))), [row_range.sequence + index for index in indexes]


def erase_from_payload(payload: bytes, needle: bytes, application_id: str) -> tuple[bytes, list[int]]:
    """Return the JSON of a line without the applicant, no longer than it was, and the places of the erased rows."""
    chained = take_apart(payload)
    if chained is None:
        return _erase_earlier(payload, needle, application_id)
    return _erase_chained(chained, needle, application_id)


def _erase_chained(chained: ChainedLine, needle: bytes, application_id: str) -> tuple[bytes, list[int]]:
    """Return the JSON without the applicant, and the places of the rows that are erased."""
    fields = _decode_fields(chained.fields)
    indexes = [
        index
        for index, raw in enumerate(chained.rows)
        if needle in raw and _is_of(fields, _decode_sent(raw).values, application_id)
    ]
    return chained.without(indexes).joined() if indexes else b"", indexes


def _erase_earlier(payload: bytes, needle: bytes, application_id: str) -> tuple[bytes, list[int]]:
    """As `_erase_chained`, for a line of an earlier version."""
    batch = msgspec.json.decode(payload, type=_EarlierBatch)
    indexes = []
    for index, raw in enumerate(batch.rows):
        if needle in bytes(raw):
            row = msgspec.json.decode(raw, type=_EarlierRow)
            if _is_of(batch.fields, msgspec.json.decode(row.values), application_id):
                row.values = _NO_VALUES
                batch.rows[index] = msgspec.Raw(msgspec.json.encode(row))
                indexes.append(index)
    if all(msgspec.json.decode(raw, type=_EarlierRow).values == _NO_VALUES for raw in batch.rows):
        batch.fields = []  # the names of the fields sent are personal data too
    return msgspec.json.encode(batch), indexes


def _is_of(fields: Sequence[str], values: Sequence[object], application_id: str) -> bool:
    return dict(zip(fields, values, strict=False)).get("application_id") == application_id
