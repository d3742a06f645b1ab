"""Signed statements: an in-toto statement in an envelope of DSSE 1.0, as signatures of models and provenances are.

Owns the envelope. Leaves keys to `signatures.keys`, and what is stated to `signatures.model` and `deploy.packing`.
"""

import base64
from typing import Annotated, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct

from signatures.keys import is_signed, sign

STATEMENT = "application/vnd.in-toto+json"


class Signature(Struct):
    """One signature of an envelope."""

    sig: bytes  # base64 in JSON


class Envelope(Struct, rename="camel"):
    """A payload of some type, and who signed it."""

    payload: bytes
    payload_type: str
    signatures: Annotated[list[Signature], Meta(min_length=1)]

    def is_signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        """Whether one of the signatures is by that key."""
        signed = _to_sign(self.payload_type, self.payload)
        return any(is_signed(key, signature.sig, signed) for signature in self.signatures)


def envelope(statement: bytes, *keys: ec.EllipticCurvePrivateKey | None) -> dict[str, Any]:
    """An in-toto statement, signed by each key that is one."""
    signed = _to_sign(STATEMENT, statement)
    made = dict.fromkeys(base64.b64encode(sign(key, signed)).decode() for key in keys if key)  # each key signs once
    signatures = [{"sig": signature} for signature in made]
    return {
        "payload": base64.b64encode(statement).decode(),
        "payloadType": STATEMENT,
        "signatures": signatures,
    }


def read_envelope(content: bytes) -> Envelope:
    """The envelope in a file; raises `msgspec.DecodeError` where that is none."""
    return msgspec.json.decode(content, type=Envelope)


def _to_sign(kind: str, payload: bytes) -> bytes:
    """What is signed: the pre-authentication encoding.

    >>> _to_sign("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)
