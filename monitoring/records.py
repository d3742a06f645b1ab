r"""One line of the decision log: a scored batch, its checksum in front.

Owns: the types of a logged batch and their bytes. Leaves to others: files (decision_log, segments).

    e3b0c442 {"sequence":0,"time":"2026-11-21T04:00:00.000001Z","model":"german_credit:1f","rows":[...]}\n

JSON escapes line feeds, so the one at the end is the only one, and a write that was cut short has none.
"""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

_CHECKSUM_BYTES = 8  # hexadecimal digits of the CRC-32 of the payload; a space follows


class Row(msgspec.Struct, frozen=True, gc=False):
    """One scored applicant.

    Attributes:
        protocol: the way it came in: `http`, `v2`, `grpc`.
        probability: of the dataset's event, 0..1; null where the model gave NaN, which JSON cannot say.
        decision: `approve` or `decline`.
        applicant: what was sent, its `application_id` included: a struct of the schema when written, a dict when read.
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


class Extent(NamedTuple):
    """Which rows of its segment a line holds: `rows` of them, from number `sequence` on."""

    sequence: int
    rows: int


class _Outline(msgspec.Struct, gc=False):
    """A batch with its rows left as bytes: 0.4 us a row to read instead of 1.5."""

    sequence: int
    rows: list[msgspec.Raw]


_encode = msgspec.json.Encoder().encode
_decode_batch = msgspec.json.Decoder(Batch).decode
_decode_outline = msgspec.json.Decoder(_Outline).decode


def encode_line(batch: Batch) -> bytes:
    r"""Write a batch as one line.

    >>> from datetime import UTC
    >>> line = encode_line(Batch(7, datetime(2026, 11, 21, tzinfo=UTC), "m:1", [Row("v2", 0.5, "approve", {"age": 3})]))
    >>> line[:73]
    b'80056fb5 {"sequence":7,"time":"2026-11-21T00:00:00Z","model":"m:1","rows"'
    >>> line[73:]
    b':[{"protocol":"v2","probability":0.5,"decision":"approve","applicant":{"age":3}}]}\n'
    """
    payload = _encode(batch)
    return b"%08x %b\n" % (zlib.crc32(payload), payload)


def decode_line(line: bytes) -> Batch | None:
    """Read a line back; None when it is cut short, damaged, or no batch.

    >>> from datetime import UTC
    >>> line = encode_line(Batch(7, datetime(2026, 11, 21, tzinfo=UTC), "m:1", [Row("v2", 0.5, "approve", {"age": 3})]))
    >>> decode_line(line).rows[0].applicant, decode_line(line[:-1]), decode_line(line.replace(b"3", b"4"))
    ({'age': 3}, None, None)
    """
    payload = _payload(line)
    try:
        return None if payload is None else _decode_batch(payload)
    except msgspec.DecodeError:
        return None


def decode_extent(line: bytes) -> Extent | None:
    """Read only which rows a line holds; None as in `decode_line`.

    >>> from datetime import UTC
    >>> decode_extent(encode_line(Batch(7, datetime(2026, 11, 21, tzinfo=UTC), "m:1", [Row("v2", 0.5, "decline", {})])))
    Extent(sequence=7, rows=1)
    """
    payload = _payload(line)
    try:
        outline = None if payload is None else _decode_outline(payload)
    except msgspec.DecodeError:
        return None
    return None if outline is None else Extent(outline.sequence, len(outline.rows))


def _payload(line: bytes) -> bytes | None:
    """Give the JSON of a whole line with the right checksum."""
    if line[-1:] != b"\n" or line[_CHECKSUM_BYTES : _CHECKSUM_BYTES + 1] != b" ":
        return None
    payload = line[_CHECKSUM_BYTES + 1 : -1]
    return payload if line[:_CHECKSUM_BYTES] == b"%08x" % zlib.crc32(payload) else None
