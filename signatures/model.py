"""The signature of a model: a file in its folder that names the SHA-256 of every other one.

Owns the format, which is that of OpenSSF's model signing 1.0 (a sigstore bundle around an in-toto statement), so that
`model_signing verify key` reads what is written here, and its signatures are read here. Leaves the envelope to
`signatures.dsse`, and keys to `signatures.keys`.
"""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct

from signatures.dsse import STATEMENT, Envelope, envelope
from signatures.keys import SignatureError, fingerprint, public_key

SIGNATURE = "model.sig"
# BentoML's own description of the model, written anew by each store; nothing that is served is read from it.
UNSIGNED = ("model.yaml",)
SIGN = "sign it: python -m deploy.packing sign --key KEY {tag}"

_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"


class _Bundle(Struct, rename="camel"):
    dsse_envelope: Envelope


class _Resource(Struct):
    name: str
    algorithm: str
    digest: str


class _Predicate(Struct):
    resources: list[_Resource]


class _Subject(Struct):
    name: str


class _Statement(Struct, rename="camel"):
    subject: Annotated[list[_Subject], Meta(min_length=1)]
    predicate_type: str
    predicate: _Predicate


def sign_model(folder: Path, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The content of the signature file for the model in `folder`."""
    resources = [{"name": name, "algorithm": "sha256", "digest": found} for name, found in digests(folder).items()]
    together = hashlib.sha256(b"".join(bytes.fromhex(one["digest"]) for one in resources)).hexdigest()
    statement = {
        "_type": _STATEMENT,
        "subject": [{"name": folder.name, "digest": {"sha256": together}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "ignore_paths": [*UNSIGNED, SIGNATURE],
                "allow_symlinks": False,
            },
            "resources": resources,
        },
    }
    bundle: dict[str, Any] = {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": fingerprint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": envelope(msgspec.json.encode(statement), key),
    }
    return msgspec.json.encode(bundle)


def write_signature(folder: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    """Sign the model in `folder`, whose signature is replaced as a whole; returns its file."""
    file = folder / SIGNATURE
    temporary = folder.with_name(f".{SIGNATURE}.{os.getpid()}")  # in the folder of the model it would be an added file
    content = sign_model(folder, key)
    try:
        temporary.write_bytes(content)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return file


def check_model(folder: Path, key_path: Path) -> None:
    """Raise `SignatureError` unless the model in `folder` is, file by file, the one signed by that public key."""
    key = public_key(key_path)
    file = folder / SIGNATURE
    tag = f"{folder.parent.name}:{folder.name}"
    remedy = SIGN.format(tag=tag)
    try:
        signed = msgspec.json.decode(file.read_bytes(), type=_Bundle).dsse_envelope
    except FileNotFoundError:
        raise SignatureError(f"the model {tag} is not signed (no {file}); {remedy}") from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SignatureError(f"{file}: is not a signature ({error}); {remedy}") from None
    if not signed.is_signed_by(key):
        raise SignatureError(f"{file}: is not signed by the key {key_path}; give the key of who signed it, or {remedy}")
    named = _named(file, signed, remedy)
    found = digests(folder)
    for name in sorted(named.keys() | found.keys()):
        if named.get(name) != found.get(name):
            what = "is missing" if name not in found else "was added" if name not in named else "was altered"
            raise SignatureError(
                f"the model {tag} is not the one that was signed: {folder / name} {what}; restore it, or train and "
                f"sign again: make train"
            )


def digests(folder: Path) -> dict[str, str]:
    """Hexadecimal SHA-256 of every file that a signature covers, by its path in the folder, in order."""
    found = {}
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise SignatureError(f"{path}: is a link; put the file itself there")
        if path.is_file() and name not in (*UNSIGNED, SIGNATURE):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _named(file: Path, signed: Envelope, remedy: str) -> dict[str, str]:
    """The digests that a signature names, whose key was checked."""
    try:
        statement = msgspec.json.decode(signed.payload, type=_Statement)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SignatureError(f"{file}: does not sign a model ({error}); {remedy}") from None
    resources = statement.predicate.resources
    if (signed.payload_type, statement.predicate_type) != (STATEMENT, _PREDICATE) or any(
        one.algorithm != "sha256" for one in resources
    ):
        raise SignatureError(f"{file}: is of another kind of signature; {remedy}")
    if (name := statement.subject[0].name) != file.parent.name:
        raise SignatureError(f"{file}: signs the version {name}, and lies in another's place; restore it, or {remedy}")
    return {one.name: one.digest for one in resources}
