r"""What of a line is hashed, so that a row can be erased while the chain of the lines stays as it is.

Owns: salts, the commitment of a row, the hash of a line, and what erasure leaves of a row. Leaves to others: the types
of a line (lines), writing it (line_encoding), comparing hashes (proof).

    {"sequence":7,...,"previous":"9f86d0...","decided":[["http","my-key",0.12,"approve"],...]    public part
    ,"fields":["a",...]                                                                          fields
    ,"rows":[["<salt>","<id>",[3,...]],...]}                                                     sent rows

    commitment of a row = SHA-256(fields, sent row)          over the bytes that stand in the line
    hash of a line      = SHA-256(public part, commitment of each row)

The public part holds the hash of the line before. Erasure replaces a sent row by `["<commitment>"]`, so the hash of the
line, and all that follows from it, stays. Nobody can try values against a commitment: its salt, 264 random bits, is
gone. After the rows there may be the code of the line, which shows who wrote it. JSON escapes quotes inside texts, so
the bytes `,"fields":` occur once in a line, where the public part ends.
"""

import binascii
import hashlib
import os
import struct
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import msgspec

from monitoring.records.lines import NOT_JSON

SALT_BYTES = 33  # 44 characters of base64, as many as those of a commitment, so that erasure never lengthens a line
SALT_CHARACTERS = 44
_FIELDS, _ROWS = b',"fields":', b',"rows":'


class _Sent(msgspec.Struct):
    """The part of a line that is not public; everything in it keeps its bytes."""

    fields: msgspec.Raw
    rows: list[msgspec.Raw]
    mac: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ChainedLine(NamedTuple):
    """The JSON of a line, taken apart.

    Attributes:
        public: the bytes before the names of the fields.
        fields: their JSON.
        rows: the JSON of each sent row.
        mac: the JSON of the code of the line; empty if it has none.
    """

    public: bytes
    fields: bytes
    rows: list[bytes]
    mac: bytes

    def joined(self) -> bytes:
        """The JSON of the line."""
        end = b',"mac":%b}' % self.mac if self.mac else b"}"
        return b"".join((self.public, _FIELDS, self.fields, _ROWS, b"[", b",".join(self.rows), b"]", end))

    def hash(self) -> bytes:
        """The hash of the line, 32 bytes."""
        return line_hash(self.public, commitments(self.fields, self.rows))

    def without(self, numbers: Collection[int]) -> "ChainedLine":
        """The same line, by its hash too, in which these rows are erased."""
        erased = [
            b'["%b"]' % binascii.b2a_base64(one, newline=False) if number in numbers else row
            for number, (row, one) in enumerate(zip(self.rows, commitments(self.fields, self.rows), strict=True))
        ]
        # The names of the fields that were sent are personal data too.
        fields = b"[]" if all(commitment_of_erased(row) for row in erased) else self.fields
        return self._replace(fields=fields, rows=erased)


def take_apart(payload: bytes) -> ChainedLine | None:
    """Take the JSON of a line apart; None if it is not chained, as those of an earlier version."""
    cut = payload.find(_FIELDS)
    if cut < 0 or b',"decided":' not in payload[:cut]:
        return None
    try:
        sent = msgspec.json.decode(b"{" + payload[cut + 1 :], type=_Sent)
    except NOT_JSON:
        return None
    rows = list(map(bytes, sent.rows))
    mac = b"" if sent.mac is msgspec.UNSET else bytes(sent.mac)
    return ChainedLine(payload[:cut], bytes(sent.fields), rows, mac)


def new_salts(number: int) -> Iterator[tuple[bytes]]:
    """So many salts, each in a tuple, from one call for random bytes; slices would take 0.2 us each."""
    return struct.iter_unpack(f"{SALT_BYTES}s", os.urandom(SALT_BYTES * number))


def commitments(fields: bytes, rows: Iterable[bytes]) -> list[bytes]:
    r"""The commitment of each row, 32 bytes; an erased row states its own.

    >>> [one] = commitments(b'["a"]', [b'["salt","",[3]]'])
    >>> one == hashlib.sha256(b'["a"]["salt","",[3]]').digest()
    True
    >>> commitments(b"[]", [b'["%b"]' % binascii.b2a_base64(one, newline=False)]) == [one]
    True
    """
    common, found = hashlib.sha256(fields), []
    for row in rows:
        stated = commitment_of_erased(row)
        if stated is None:
            own = common.copy()
            own.update(row)
            found.append(own.digest())
        else:
            found.append(stated)
    return found


def commitment_of_erased(row: bytes) -> bytes | None:
    """The commitment that an erased row states; None if the row is not erased."""
    if len(row) != SALT_CHARACTERS + 4 or row[-2:] != b'"]' or b"," in row:
        return None
    try:
        stated = binascii.a2b_base64(row[2:-2], strict_mode=True)
    except binascii.Error:
        return None
    return stated if binascii.b2a_base64(stated, newline=False) == row[2:-2] else None  # one spelling only


def line_hash(public: bytes, of_rows: Iterable[bytes]) -> bytes:
    """The hash of a line with this public part and these commitments, 32 bytes."""
    return hashlib.sha256(b"".join((public, *of_rows))).digest()
