"""Key files and what is done with them: ECDSA on P-256 with SHA-256, keys in PEM.

Owns reading keys, and signing and checking bytes. Leaves what the bytes mean to `signatures.model` and
`signatures.image`.
"""

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# The same key and bytes give the same signature (RFC 6979), so that what is built from a signed model is the same too.
DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
NEW_KEY = "make one: openssl ecparam -name prime256v1 -genkey -noout -out {path}"
PUBLIC_KEY = "write it from the private key: openssl ec -in KEY -pubout -out {path}"


class SignatureError(RuntimeError):
    """Something is not signed by the key that was asked for, or cannot be; the message has file and remedy."""


def private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in a PEM file, which has no password."""
    remedy = NEW_KEY.format(path=path)
    try:
        key = serialization.load_pem_private_key(_content(path, remedy), None)
    except TypeError:
        raise SignatureError(f"{path}: the key has a password; give one without: openssl ec -in {path}") from None
    except ValueError:
        raise SignatureError(f"{path}: is not a private key in PEM; {remedy}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureError(f"{path}: is not an ECDSA key on the curve P-256; {remedy}")
    return key


def public_key(path: Path) -> ec.EllipticCurvePublicKey:
    """The public key in a PEM file."""
    remedy = PUBLIC_KEY.format(path=path)
    try:
        key = serialization.load_pem_public_key(_content(path, remedy))
    except ValueError:
        raise SignatureError(f"{path}: is not a public key in PEM; {remedy}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureError(f"{path}: is not an ECDSA key on the curve P-256; {remedy}")
    return key


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """Hexadecimal SHA-256 of the key in PEM, by which a signature names its key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.PEM, form)).hexdigest()


def sign(key: ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    """The signature of `content`, DER."""
    return key.sign(content, DETERMINISTIC)


def is_signed(key: ec.EllipticCurvePublicKey, signature: bytes, content: bytes) -> bool:
    """Whether `signature` is that of `content` by `key`."""
    try:
        key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _content(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SignatureError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise SignatureError(f"{path}: cannot be read ({error.strerror}); make it a readable file") from None
