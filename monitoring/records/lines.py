r"""One line of the decision log: a scored batch, its checksum in front.

Owns: the types of a logged batch and their bytes. Leaves to others: files (decision_log, segments).

    e3b0c442 {"sequence":0,"time":"2026-11-21T04:00:00.000001Z","model":"german_credit:1f",
              "fields":["a","b",...],"rows":[["http",0.12,"approve",[3,"x",...]],...]}\n

all in one line. JSON escapes line feeds, so the one at the end is the only one, and a write that was cut short has
none. The names of fields stand once in a line and not in each row: they were most of a log's bytes.
"""

import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

_CHECKSUM_BYTES = 8  # hexadecimal digits of the CRC-32 of the payload; a space follows


class Row(msgspec.Struct, frozen=True, gc=False):
    """One scored applicant.

    Attributes:
        protocol: the way it came in: `http`, `v2`, `grpc`.
        probability: of the dataset's event, 0..1; null where the model gave NaN, which JSON cannot say.
        decision: `approve` or `decline`.
        applicant: what was sent, its `application_id` included: a struct of the schema when written, a dict when read.
            A field that this one did not bring is null then if others of the batch did, and is not there otherwise.
    """

    protocol: str
    probability: float | None
    decision: str
    applicant: Any


class Batch(msgspec.Struct, frozen=True, gc=False):
    """The rows of one call of the model.

    Attributes:
        sequence: rows that were logged before these in the same segment.
        time: when they were logged, in UTC.
        model: `<name>:<version>`.
        rows: at least one.
    """

    sequence: int
    time: datetime
    model: str
    rows: Sequence[Row]


class RowRange(NamedTuple):
    """Which rows of its segment a line holds: `rows` of them, from number `sequence` on."""

    sequence: int
    rows: int


class _BatchOutline(msgspec.Struct, gc=False):
    """A batch with its rows left as bytes: 0.3 us a row to read instead of 2."""

    sequence: int
    fields: msgspec.Raw
    rows: list[msgspec.Raw]


# A row as it is written: protocol, probability, decision, and values, of which one who was erased has none.
_LoggedRow = tuple[str, float | None, str, Sequence[Any]]


class _LoggedBatch(msgspec.Struct, gc=False):
    """A batch as it is written."""

    sequence: int
    time: datetime
    model: str
    fields: Sequence[str]
    rows: Sequence[_LoggedRow]


def _encode_unset(value: Any) -> None:
    """Write a field that only other rows of the batch brought."""
    if value is not UNSET:
        raise TypeError(f"a {type(value).__name__} is no value of an applicant")


_encode = msgspec.json.Encoder(enc_hook=_encode_unset).encode
_decode_batch = msgspec.json.Decoder(_LoggedBatch).decode
_decode_outline = msgspec.json.Decoder(_BatchOutline).decode


def encode_batch(batch: Batch) -> bytes:
    """Write a batch as JSON; its applicants are structs of one type."""
    applicants = [row.applicant for row in batch.rows]
    fields, values_of = _present_fields(applicants)
    rows = [
        (row.protocol, row.probability, row.decision, values)
        for row, values in zip(batch.rows, map(values_of, applicants), strict=True)
    ]
    return _encode(_LoggedBatch(batch.sequence, batch.time, batch.model, fields, rows))


def decode_batch(payload: bytes) -> Batch | None:
    """Read the JSON of a batch back; None when it is none."""
    try:
        read = _decode_batch(payload)
    except msgspec.DecodeError:
        return None
    fields = read.fields
    rows = [
        Row(protocol, probability, decision, dict(zip(fields, values, strict=False)))
        for protocol, probability, decision, values in read.rows
    ]
    return Batch(read.sequence, read.time, read.model, rows)


class _FieldNames(NamedTuple):
    """What a type of applicants brings."""

    names: dict[str, str]  # of every attribute, the name of its field
    optional: tuple[str, ...]  # the attributes that may be unset


@cache
def _field_names_of(kind: type[msgspec.Struct]) -> _FieldNames:
    fields = msgspec.structs.fields(kind)
    optional = tuple(field.name for field in fields if field.default is UNSET)
    return _FieldNames({field.name: field.encode_name for field in fields}, optional)


def _present_fields(applicants: Sequence[msgspec.Struct]) -> tuple[Sequence[str], Callable[[Any], tuple[Any, ...]]]:
    """The fields that at least one of these brought, and what takes the values of one."""
    kind = _field_names_of(type(applicants[0]))
    absent = [name for name in kind.optional if getattr(applicants[0], name) is UNSET]
    if absent and len(applicants) > 1:
        columns = zip(*map(_values_of(absent), applicants), strict=True)
        absent = [name for name, column in zip(absent, columns, strict=True) if column.count(UNSET) == len(column)]
    if not absent:
        return list(kind.names.values()), msgspec.structs.astuple
    names = {attribute: name for attribute, name in kind.names.items() if attribute not in absent}
    return list(names.values()), _values_of(list(names))


def _values_of(attributes: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes the values of these attributes."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    return lambda applicant: tuple(getattr(applicant, attribute) for attribute in attributes)


def encode_line(batch: Batch) -> bytes:
    r"""Write a batch as one line.

    >>> from datetime import UTC
    >>> rows = [Row("v2", 0.5, "approve", msgspec.defstruct("Applicant", [("age", int)])(3))]
    >>> line = encode_line(Batch(7, datetime(2026, 11, 21, tzinfo=UTC), "m:1", rows))
    >>> line[:73]
    b'260084e8 {"sequence":7,"time":"2026-11-21T00:00:00Z","model":"m:1","field'
    >>> line[73:]
    b's":["age"],"rows":[["v2",0.5,"approve",[3]]]}\n'
    >>> decode_line(line).rows[0].applicant, decode_line(line[:-1]), decode_line(line.replace(b"3", b"4"))
    ({'age': 3}, None, None)
    >>> decode_row_range(line)
    RowRange(sequence=7, rows=1)
    """
    payload = encode_batch(batch)
    return b"%08x %b\n" % (zlib.crc32(payload), payload)


def decode_line(line: bytes) -> Batch | None:
    """Read a line back; None when it is cut short, damaged, or no batch."""
    payload = _payload(line)
    return None if payload is None else decode_batch(payload)


def decode_row_range(line: bytes) -> RowRange | None:
    """Read only which rows a line holds; None as in `decode_line`."""
    payload = _payload(line)
    try:
        outline = None if payload is None else _decode_outline(payload)
    except msgspec.DecodeError:
        return None
    return None if outline is None else RowRange(outline.sequence, len(outline.rows))


def _payload(line: bytes) -> bytes | None:
    """Give the JSON of a whole line with the right checksum."""
    if line[-1:] != b"\n" or line[_CHECKSUM_BYTES : _CHECKSUM_BYTES + 1] != b" ":
        return None
    payload = line[_CHECKSUM_BYTES + 1 : -1]
    return payload if line[:_CHECKSUM_BYTES] == b"%08x" % zlib.crc32(payload) else None
