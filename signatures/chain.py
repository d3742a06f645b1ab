"""A chained history: a file to which signed statements are appended, each with the SHA-256 of the line before.

Owns the bytes and the chain. Leaves what is stated to `signatures.promotions` and `train.alternatives.record`.

A line is an in-toto statement in an envelope of DSSE, as the signature of a model is. No entry can be changed, removed
or put between others without breaking the chain. With a key each entry is signed, and the signature of the newest
covers all before it, those too that were made without a key or with an older one. Entries cut off at the end leave a
history that is whole.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct

from signatures.dsse import STATEMENT, Envelope, Signature, envelope
from signatures.keys import SignatureError

_STATEMENT = "https://in-toto.io/Statement/v1"

T = TypeVar("T", bound="Linked")


class Linked(Struct, frozen=True, kw_only=True):
    """What is stated, with its link.

    Attributes:
        previous: SHA-256 of the line before, hexadecimal; empty for the first. Set when it is appended.
    """

    previous: str = ""


class _Digest(Struct):
    sha256: str


class _Subject(Struct):
    name: str
    digest: _Digest


class _Statement(Struct, rename="camel"):
    subject: Annotated[list[_Subject], Meta(min_length=1, max_length=1)]
    predicate_type: str
    predicate: msgspec.Raw


class _Line(Envelope):
    signatures: list[Signature]  # may be empty, other than those of an `Envelope`


@dataclass(frozen=True)
class Stated(Generic[T]):
    """A line as it was read: `<model>:<subject>`, the SHA-256 of what the subject is, the statement, the signatures."""

    subject: str
    sha256: str
    stated: T
    line: Envelope


@dataclass(frozen=True)
class Chain(Generic[T]):
    """One kind of history.

    Attributes:
        name: of the file, in the folder of a model.
        kind: the type of its statements.
        noun: what one of them is, with its article.
        remedy: what to do where the file is broken.
        type_: of what is stated.
    """

    name: str
    kind: str
    noun: str
    remedy: str
    type_: type[T]

    def append(
        self, folder: Path, subject: str, sha256: str, stated: T, *keys: ec.EllipticCurvePrivateKey | None
    ) -> None:
        """Append a statement about `<name of the folder>:<subject>`, synced, and signed by each of the keys.

        Raises:
            SignatureError: the history is broken, and would stay so.
            OSError: the disk is full; the history is as it was.
        """
        file = folder / self.name
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            lines, end = _lines(file)
            self._entries(folder, lines)
            os.ftruncate(descriptor, end)  # of an entry that was being written when the power failed
            previous = hashlib.sha256(lines[-1]).hexdigest() if lines else ""
            statement = {
                "_type": _STATEMENT,
                "subject": [{"name": f"{folder.name}:{subject}", "digest": {"sha256": sha256}}],
                "predicateType": self.kind,
                "predicate": msgspec.structs.replace(stated, previous=previous),
            }
            line = msgspec.json.encode(envelope(msgspec.json.encode(statement), *keys)) + b"\n"
            if os.write(descriptor, line) != len(line):  # the next one cuts it off
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # the name of the file, if it is new
        finally:
            os.close(descriptor)

    def read(self, folder: Path) -> list[Stated[T]]:
        """Every entry, oldest first; none without the file.

        Raises:
            SignatureError: the chain is broken; the message names file and line.
        """
        return self._entries(folder, _lines(folder / self.name)[0])

    def _entries(self, folder: Path, lines: Sequence[bytes]) -> list[Stated[T]]:
        entries: list[Stated[T]] = []
        previous = ""
        for number, line in enumerate(lines, 1):
            try:
                entry, kind, name = self._read(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise self._broken(folder, number, f"is not {self.noun} ({error})") from None
            if (entry.line.payload_type, kind) != (STATEMENT, self.kind):
                raise self._broken(folder, number, "is a statement of another kind")
            if name != folder.name:
                raise self._broken(folder, number, f"is about the model {name}")
            if entry.stated.previous != previous:
                problem = (
                    "does not follow the line before: one of both was changed, or one between them removed or added"
                )
                raise self._broken(folder, number, problem)
            entries.append(entry)
            previous = hashlib.sha256(line).hexdigest()
        return entries

    def _read(self, line: bytes) -> tuple[Stated[T], str, str]:
        """An entry, the kind of its statement, and the model that it is about."""
        signed = msgspec.json.decode(line, type=_Line)
        statement = msgspec.json.decode(signed.payload, type=_Statement)
        stated: Any = msgspec.json.decode(statement.predicate, type=self.type_)
        about = statement.subject[0]
        name, _, subject = about.name.partition(":")
        return Stated(subject, about.digest.sha256, stated, signed), statement.predicate_type, name

    def _broken(self, folder: Path, number: int, problem: str) -> SignatureError:
        return SignatureError(f"{folder / self.name}, line {number}: {problem}; {self.remedy}")


def _lines(file: Path) -> tuple[list[bytes], int]:
    """The complete lines, and their length."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise SignatureError(f"{file}: cannot be read ({error.strerror}); make it a readable file") from None
    end = content.rfind(b"\n") + 1
    return content[:end].split(b"\n")[:-1], end
