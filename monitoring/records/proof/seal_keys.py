"""The keys that sign the log's seals: Ed25519 (RFC 8032), none, one, or several while old seals are still checked.

Owns: reading them from the environment and from files, signing, checking, and the codes of single lines. Leaves to
others: what is signed (segment_ends, chain). `cryptography` is imported only if there is a key.

A private key signs, and makes the key of the codes (MAC) of the lines of a segment, which show that a segment that is
not sealed yet was written by a holder of the private key. A public key alone checks every signature and no code.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from configs.source import ConfigError

SEAL_KEY_VARIABLE = "SCORER_SEAL_KEY"
NEW_KEY = "make one: openssl genpkey -algorithm ed25519 -out seal-key.pem"
PUBLIC_KEY = "write it from the private key: openssl pkey -in seal-key.pem -pubout -out seal-key.pub.pem"
MAC_BYTES = 32
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


class Signature(NamedTuple):
    """A signature, base64, and the id of its key; both empty where nothing signs."""

    signed_by: str = ""
    signature: str = ""


class SealKeys:
    """Keys for seals: the first private one signs, all of them check.

    Args:
        private: Ed25519 private keys.
        public: Ed25519 public keys whose private keys are elsewhere.
    """

    def __init__(self, private: Sequence[Any] = (), public: Sequence[Any] = ()) -> None:
        self._private = {_id(key.public_key()): key for key in private}
        self._public = {_id(key): key for key in (*(key.public_key() for key in private), *public)}
        self._signer = next(iter(self._private), "")

    def __bool__(self) -> bool:
        """Whether there is a key to check with."""
        return bool(self._public)

    @property
    def signer(self) -> str:
        """The id of the key that signs; empty if none does."""
        return self._signer

    def sign(self, use: bytes, content: bytes) -> Signature:
        """Sign some bytes for one use, so that a signature is worth nothing for another."""
        if not self._signer:
            return Signature()
        signature = self._private[self._signer].sign(_to_sign(use, content))
        return Signature(self._signer, base64.b64encode(signature).decode())

    def fault(self, use: bytes, content: bytes, signature: Signature) -> str:
        """What is wrong with a signature that is there; empty if nothing is, or if there is no key to check with."""
        from cryptography.exceptions import InvalidSignature

        if not self._public:
            return ""
        key = self._public.get(signature.signed_by)
        if key is None:
            return f"is signed by the key {signature.signed_by}, which was not given"
        try:
            key.verify(base64.b64decode(signature.signature, validate=True), _to_sign(use, content))
        except (InvalidSignature, ValueError):
            return f"is not as the key {signature.signed_by} has signed it"
        return ""

    def mac(self, key: str, segment: str) -> Callable[[bytes], bytes] | None:
        """The function from the hash of a line of a segment to its code, 32 bytes; None without that private key.

        BLAKE2b with a key (RFC 7693): one call of 0.7 us per batch, a quarter of what HMAC takes.
        """
        if key not in self._private:
            return None
        raw = self._private[key].private_bytes_raw()
        secret = hashlib.blake2b(b"credit-scorer line " + segment.encode(), key=raw, digest_size=MAC_BYTES).digest()
        blake2b = hashlib.blake2b
        return lambda content: blake2b(content, key=secret, digest_size=MAC_BYTES).digest()


NO_SEAL_KEYS = SealKeys()


def seal_keys_from(environment: Mapping[str, str], key_file: str = "", public_file: str = "") -> SealKeys:
    """Read the keys: PEM in `SCORER_SEAL_KEY` or in a file, and PEM of public keys in another file.

    Args:
        environment: of the process.
        key_file: path of private keys, used if the variable is unset; empty for none.
        public_file: path of public keys; empty for none.

    Raises:
        ConfigError: something else is there; the message does not show it.
    """
    private: list[Any] = []
    public: list[Any] = []
    if SEAL_KEY_VARIABLE in environment:
        private = _private_keys(environment[SEAL_KEY_VARIABLE], "environment", SEAL_KEY_VARIABLE)
    elif key_file:
        private = _private_keys(_content(key_file, "seal_key_file", NEW_KEY), key_file, "")
    if public_file:
        public = _public_keys(_content(public_file, "seal_public_keys_file", PUBLIC_KEY), public_file)
    return SealKeys(private, public) if private or public else NO_SEAL_KEYS


def _private_keys(text: str, place: str, name: str) -> list[Any]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    keys: list[Any] = []
    for block in _PEM.finditer(text):
        try:
            keys.append(load_pem_private_key(block[0].encode(), None))
        except (ValueError, TypeError):  # TypeError: it has a password
            keys.append(None)
    if not keys or not all(isinstance(key, Ed25519PrivateKey) for key in keys):
        raise ConfigError(place, name, "is not an Ed25519 private key in PEM without a password", NEW_KEY)
    return keys


def _public_keys(text: str, place: str) -> list[Any]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    keys: list[Any] = []
    for block in _PEM.finditer(text):
        try:
            keys.append(load_pem_public_key(block[0].encode()))
        except ValueError:
            keys.append(None)
    if not keys or not all(isinstance(key, Ed25519PublicKey) for key in keys):
        raise ConfigError(place, "", "is not an Ed25519 public key in PEM", PUBLIC_KEY)
    return keys


def _content(path: str, setting: str, remedy: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", f"{setting} cannot be read ({error})", remedy) from None


def _id(public: Any) -> str:
    return hashlib.sha256(b"credit-scorer seal key " + public.public_bytes_raw()).hexdigest()[:8]


def _to_sign(use: bytes, content: bytes) -> bytes:
    return b"credit-scorer %b\n%b" % (use, content)
