"""The history of a model's champions: a file beside its versions, to which each promotion is appended.

Owns its format and checking it. Leaves who may promote to `train.registry`, and who is the champion to
`models.champion`, whose file has to agree with the newest entry.

A line is an in-toto statement in an envelope of DSSE, as the signature of a model is. The statement names the version
and the SHA-256 of its graph, who promoted it, when and why, and the SHA-256 of the line before: no entry can be
changed, removed or put between others without breaking the chain. With a key each entry is signed, and the signature of
the newest covers all before it, those too that were made without a key or with an older one. Entries cut off at the end
leave a history that is whole; `python -m train history` compares it with MLflow's record.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct

from signatures.dsse import STATEMENT, Envelope, Signature, envelope
from signatures.keys import SignatureError, public_key

FILE = "champion.history"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "urn:credit-scorer:promotion:1"
_PROMOTE = "promote it again with the key: python -m train promote {version} --signing-key KEY --why REASON"


class Promotion(Struct, frozen=True, kw_only=True):
    """One entry, without its subject.

    Attributes:
        previous: SHA-256 of the line before, hexadecimal; empty for the first.
        at: ISO 8601, UTC.
        instead_of: the champion before; empty if there was none.
        evidence: the run and the verdicts of its gates.
    """

    action: str
    instead_of: str
    by: str
    why: str
    at: str
    evidence: str
    previous: str = ""


class _Digest(Struct):
    sha256: str


class _Subject(Struct):
    name: str
    digest: _Digest


class _Statement(Struct, rename="camel"):
    subject: Annotated[list[_Subject], Meta(min_length=1, max_length=1)]
    predicate_type: str
    predicate: Promotion


class _Line(Envelope):
    signatures: list[Signature]  # may be empty, other than those of an `Envelope`


class Entry(Struct, frozen=True):
    """A promotion as it was read: its version, the SHA-256 of its graph, and the signatures."""

    version: str
    model_sha256: str
    promotion: Promotion
    line: Envelope

    @property
    def is_signed(self) -> bool:
        """Whether somebody has signed it; by which key is for `check` to say."""
        return bool(self.line.signatures)


def append(
    versions: Path, version: str, model_sha256: str, promotion: Promotion, *keys: ec.EllipticCurvePrivateKey | None
) -> None:
    """Append an entry, synced; `versions` is the folder of the versions, and `previous` is set here.

    It is signed by each of the keys: that of the store, and that of who decided.

    Raises:
        SignatureError: the history is broken, and would stay so.
        OSError: the disk is full; the history is as it was.
    """
    descriptor = os.open(versions / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        lines, end = _lines(versions)
        _entries(versions, lines)
        os.ftruncate(descriptor, end)  # of an entry that was being written when the power failed
        previous = hashlib.sha256(lines[-1]).hexdigest() if lines else ""
        statement = {
            "_type": _STATEMENT,
            "subject": [{"name": f"{versions.name}:{version}", "digest": {"sha256": model_sha256}}],
            "predicateType": _PREDICATE,
            "predicate": msgspec.structs.replace(promotion, previous=previous),
        }
        line = msgspec.json.encode(envelope(msgspec.json.encode(statement), *keys)) + b"\n"
        if os.write(descriptor, line) != len(line):  # the next one cuts it off
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(versions / FILE))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    descriptor = os.open(versions, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the name of the file, if it is new
    finally:
        os.close(descriptor)


def read(versions: Path) -> list[Entry]:
    """Every entry, oldest first; none without the file.

    Raises:
        SignatureError: the chain is broken; the message names file and line.
    """
    return _entries(versions, _lines(versions)[0])


def check(versions: Path, champion: str, model_sha256: str, signed_by: Path | None) -> None:
    """Raise `SignatureError` unless the newest entry is the champion's.

    Args:
        versions: the folder of the versions.
        champion: the version that is about to be served as such.
        model_sha256: of its graph.
        signed_by: a public key; if given, there has to be a history, and its newest entry has to be signed by that key.
    """
    file, entries = versions / FILE, read(versions)
    remedy = _PROMOTE.format(version=champion)
    if not entries:
        if signed_by:
            raise SignatureError(f"the promotion of {versions.name}:{champion} is not signed (no {file}); {remedy}")
        return
    newest = entries[-1]
    if signed_by and not newest.line.is_signed_by(public_key(signed_by)):
        raise SignatureError(f"{file}: its newest entry is not signed by the key {signed_by}; {remedy}")
    if newest.version != champion:
        raise SignatureError(
            f"{file}: promotes {newest.version} last, and the champion is {champion} by {versions / 'champion'}; write "
            f"{newest.version} there, or {remedy}"
        )
    if newest.model_sha256 != model_sha256:
        raise SignatureError(
            f"{file}: promotes another {versions.name}:{champion}, whose graph has SHA-256 {newest.model_sha256[:16]}… "
            f"and not {model_sha256[:16]}…; restore it, or {remedy}"
        )


def _lines(versions: Path) -> tuple[list[bytes], int]:
    """The complete lines, and their length."""
    try:
        content = (versions / FILE).read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise SignatureError(f"{versions / FILE}: cannot be read ({error.strerror}); make it a readable file") from None
    end = content.rfind(b"\n") + 1
    return content[:end].split(b"\n")[:-1], end


def _entries(versions: Path, lines: Sequence[bytes]) -> list[Entry]:
    entries: list[Entry] = []
    previous = ""
    for number, line in enumerate(lines, 1):

        def broken(problem: str, number: int = number) -> SignatureError:
            return SignatureError(
                f"{versions / FILE}, line {number}: {problem}; restore the file from a backup, or move it away and "
                "promote the champion again"
            )

        try:
            signed = msgspec.json.decode(line, type=_Line)
            statement = msgspec.json.decode(signed.payload, type=_Statement)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise broken(f"is not a promotion ({error})") from None
        name, _, version = statement.subject[0].name.partition(":")
        if (signed.payload_type, statement.predicate_type) != (STATEMENT, _PREDICATE):
            raise broken("is a statement of another kind")
        if name != versions.name:
            raise broken(f"is about the model {name}")
        if statement.predicate.previous != previous:
            raise broken(
                "does not follow the line before: one of both was changed, or one between them removed or added"
            )
        entries.append(Entry(version, statement.subject[0].digest.sha256, statement.predicate, signed))
        previous = hashlib.sha256(line).hexdigest()
    return entries
