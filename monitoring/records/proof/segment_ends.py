r"""The first and the last line of a segment: its head and its seal.

Owns: their types and bytes. Leaves to others: signing (seal_keys), when they are written (segment_proof, sealing), and
what follows from them (segment_check).

    8a3c0f11 {"head":{"segment":"20261121T...log","kind":"plain","log_key":"","seal_key":"5d41","previous":"9f86"}}\n
    ...
    77aa01c5 {"seal":{"segment":"20261121T...log","rows":9,"lines":3,"hash":"60303a...","newest":"2026-11-21T..."},
              "signed_by":"5d41402a","signature":"..."}\n

The first line of rows carries the hash of the head as `previous`, and the seal the hash of the last line of rows, so
the signature of the seal stands for every byte between them but the codes of the lines, which are for segments without
a seal, and need the private key. Neither is ever encrypted.
"""

import hashlib
from datetime import datetime
from typing import Any, Literal

import msgspec

from monitoring.records.lines import NOT_JSON, framed, unframed
from monitoring.records.proof.seal_keys import SealKeys, Signature

Kind = Literal["plain", "aes256gcm"]
SEAL_PURPOSE = b"segment seal"


class Head(msgspec.Struct, frozen=True):
    """The beginning of a segment.

    Attributes:
        segment: file name.
        kind: of every line of rows.
        log_key: id of the key that encrypts; empty if plain.
        seal_key: id of the key of the codes of the lines and, if it is still there, of the seal; empty for none.
        previous: hash of the newest entry of `chain.log` then.
    """

    segment: str
    kind: Kind
    log_key: str
    seal_key: str
    previous: str


class Seal(msgspec.Struct, frozen=True):
    """The end of a segment.

    Attributes:
        segment: file name.
        rows: in the segment.
        lines: of rows.
        hash: of the last of them, hexadecimal.
        newest: time of the last of them.
        torn_bytes: length of a torn line that was dropped: the rest of a batch that was never answered.
    """

    segment: str
    rows: int
    lines: int
    hash: str
    newest: datetime
    torn_bytes: int = 0


class _HeadLine(msgspec.Struct, forbid_unknown_fields=True):
    head: Head


class _SealLine(msgspec.Struct, forbid_unknown_fields=True):
    seal: msgspec.Raw
    signed_by: str
    signature: str


class SignedSeal(msgspec.Struct, frozen=True):
    """A seal as it was read.

    Attributes:
        seal: its content.
        payload: its JSON with the signature.
        signed: the bytes that are signed.
        signature: of those.
    """

    seal: Seal
    payload: bytes
    signed: bytes
    signature: Signature

    @property
    def hash(self) -> str:
        """The hash of the whole, hexadecimal."""
        return sha256(self.payload)

    def fault(self, keys: SealKeys) -> str:
        """What is wrong with its signature; empty if nothing is."""
        return keys.fault(SEAL_PURPOSE, self.signed, self.signature) if self.signature.signed_by else ""


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def head_payload(head: Head) -> bytes:
    """The JSON of a head."""
    return msgspec.json.encode(_HeadLine(head))


def parse_head(payload: bytes) -> Head | None:
    """Decode the JSON of a head; None if it is none, or not written as `head_payload` does."""
    if not payload.startswith(b'{"head":'):
        return None
    head = _decoded(payload, _HeadLine)
    return head.head if head is not None and head_payload(head.head) == payload else None


def read_head(line: bytes) -> Head | None:
    """Decode the first line of a segment; None if it is no head, or damaged."""
    payload = unframed(line)
    return None if payload is None else parse_head(payload)


def seal_payload(seal: Seal, keys: SealKeys) -> bytes:
    """The JSON of a seal, signed if there is a key."""
    content = msgspec.json.encode(seal)
    return msgspec.json.encode(_SealLine(msgspec.Raw(content), *keys.sign(SEAL_PURPOSE, content)))


def seal_line(seal: Seal, keys: SealKeys) -> bytes:
    """The last line of a segment."""
    return framed(seal_payload(seal, keys))


def is_end(payload: bytes) -> bool:
    """Whether this JSON claims to be a head or a seal."""
    return payload.startswith((b'{"head":', b'{"seal":'))


def parse_seal(payload: bytes) -> SignedSeal | None:
    """Decode the JSON of a seal; None if it is none, or not written as `seal_payload` does."""
    line = _decoded(payload, _SealLine) if payload.startswith(b'{"seal":') else None
    if line is None or msgspec.json.encode(line) != payload:
        return None
    signed = bytes(line.seal)
    seal = _decoded(signed, Seal)
    if seal is None or msgspec.json.encode(seal) != signed:
        return None
    return SignedSeal(seal, payload, signed, Signature(line.signed_by, line.signature))


def _decoded(payload: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(payload, type=kind)
    except NOT_JSON:
        return None
