r"""One line of the decision log: a checksum and a scored batch.

Owns: the types of a logged batch, and reading its bytes. Leaves to others: writing them (line_encoding), what is hashed
(commitments), encryption (cipher), files (decision_log, segments).

    e3b0c442 {"sequence":0,"time":"2026-11-21T04:00:00.000001Z","model":"german_credit:1f","previous":"9f86d0...",
              "decided":[["http","my-key",0.12,"approve"],...],"fields":["a","b",...],
              "rows":[["<salt>","<request id>",[3,"x",...]],...]}\n

all in one line. JSON escapes line feeds, so a line has exactly one, at its end, and an incomplete write has none. Field
names are written once per line, not once per row, where they were most of the log's bytes. What identifies an applicant
is in `fields` and `rows` alone; of an erased row `["<commitment>"]` is left there. A line of an earlier version has
neither `previous` nor `decided`, and rows like `["http",0.12,"approve",[3,"x",...]]`.
"""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

# What msgspec raises on bytes that are no JSON of a type: invalid UTF-8 and deep nesting have errors of their own.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
CHECKSUM_BYTES = 8  # hexadecimal digits of the CRC-32 of the payload; a space follows


class Row(msgspec.Struct, frozen=True, gc=False):
    """One scored applicant.

    Attributes:
        protocol: of the request: `http`, `v2` or `grpc`.
        probability: of the dataset's event, 0..1; None where the model returned NaN, which JSON cannot represent.
        decision: `approve`, `decline` or `refer`.
        applicant: the values sent, with the `application_id`: a struct of the schema when written, a dict when read. A
            field that was not sent reads back as None if another row of the batch has it, and is absent otherwise.
        caller: who asked; empty in lines of an earlier version.
        request_id: of the request; empty if erased, and in lines of an earlier version.
    """

    protocol: str
    probability: float | None
    decision: str
    applicant: Any
    caller: str = ""
    request_id: str = ""


class Batch(msgspec.Struct, frozen=True, gc=False):
    """The rows of one model call.

    Attributes:
        sequence: number of rows logged before these in the same segment.
        time: of logging, in UTC.
        model: `<name>:<version>`.
        rows: at least one.
    """

    sequence: int
    time: datetime
    model: str
    rows: Sequence[Row]


class RowRange(NamedTuple):
    """The rows of a segment that one line holds: `rows` rows, starting at number `sequence`."""

    sequence: int
    rows: int


class _BatchOutline(msgspec.Struct, gc=False):
    """A batch whose rows are not decoded, which costs 0.3 us per row instead of 2."""

    sequence: int
    fields: msgspec.Raw
    rows: list[msgspec.Raw]


Decided = tuple[str, str, float | None, str]  # of a row what erasure keeps: protocol, caller, probability, decision


class SentRow(msgspec.Struct, array_like=True, gc=False):
    """Of a row what erasure removes.

    Attributes:
        salt: random; of an erased row the commitment (commitments); empty in lines of an earlier version.
        request_id: of the request.
        values: of the line's `fields`; none if the row was erased.
    """

    salt: str
    request_id: str = ""
    values: Sequence[Any] = ()


class LoggedBatch(msgspec.Struct, gc=False):
    """A batch as it is written, whose rows hold the values of its `fields`: half of the time that a `Batch` takes.

    Attributes:
        previous: hash of the line before, hexadecimal; empty in lines of an earlier version.
        decided: of each row what erasure keeps.
        rows: of each row what erasure removes.
    """

    sequence: int
    time: datetime
    model: str
    previous: str
    decided: Sequence[Decided]
    fields: Sequence[str]
    rows: Sequence[SentRow]

    def to_batch(self) -> Batch:
        """The same with applicants as dicts."""
        rows = [
            Row(
                protocol,
                probability,
                decision,
                dict(zip(self.fields, sent.values, strict=False)),
                caller,
                sent.request_id,
            )
            for (protocol, caller, probability, decision), sent in zip(self.decided, self.rows, strict=True)
        ]
        return Batch(self.sequence, self.time, self.model, rows)


class _EarlierBatch(msgspec.Struct, gc=False):
    """A batch as an earlier version wrote it: rows of protocol, probability, decision and values."""

    sequence: int
    time: datetime
    model: str
    fields: Sequence[str]
    rows: Sequence[tuple[str, float | None, str, Sequence[Any]]]

    def to_logged(self) -> LoggedBatch:
        """The same as a batch is written now."""
        decided: list[Decided] = [
            (protocol, "", probability, decision) for protocol, probability, decision, _ in self.rows
        ]
        rows = [SentRow("", "", values) for *_, values in self.rows]
        return LoggedBatch(self.sequence, self.time, self.model, "", decided, self.fields, rows)


_decode_batch = msgspec.json.Decoder(LoggedBatch).decode
_decode_earlier = msgspec.json.Decoder(_EarlierBatch).decode
_decode_outline = msgspec.json.Decoder(_BatchOutline).decode


def decode_batch(payload: bytes) -> LoggedBatch | None:
    """Decode the JSON of a batch; return None if it is not one."""
    try:
        logged = _decode_batch(payload)
    except NOT_JSON:
        return _decode_earlier_batch(payload)
    return logged if len(logged.decided) == len(logged.rows) else None


def _decode_earlier_batch(payload: bytes) -> LoggedBatch | None:
    try:
        return _decode_earlier(payload).to_logged()
    except NOT_JSON:
        return None


def framed(payload: bytes) -> bytes:
    r"""The line that holds this JSON.

    >>> framed(b"{}")
    b'a3a6bf43 {}\n'
    """
    return b"%08x %b\n" % (zlib.crc32(payload), payload)


def decode_line(line: bytes) -> LoggedBatch | None:
    """Decode a line; return None if it is incomplete, damaged or not a batch."""
    payload = unframed(line)
    return None if payload is None else decode_batch(payload)


def decode_row_range(line: bytes) -> RowRange | None:
    """Decode only which rows a line holds; return None like `decode_line`."""
    payload = unframed(line)
    try:
        outline = None if payload is None else _decode_outline(payload)
    except NOT_JSON:
        return None
    return None if outline is None else RowRange(outline.sequence, len(outline.rows))


def unframed(line: bytes) -> bytes | None:
    """Return the JSON of a line that is complete and has the right checksum, otherwise None."""
    if line[-1:] != b"\n" or line[CHECKSUM_BYTES : CHECKSUM_BYTES + 1] != b" ":
        return None
    payload = line[CHECKSUM_BYTES + 1 : -1]
    return payload if line[:CHECKSUM_BYTES] == b"%08x" % zlib.crc32(payload) else None
