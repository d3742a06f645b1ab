r"""Encryption of whole files of the records at rest.

Owns: their format. Leaves to others: the lines of the log (cipher), where keys come from (log_keys).

    aes256gcm 5d41402a \n nonce (96 bits, random), ciphertext, tag
              ^
              id of the key

As for the log, each file has a key of its own, derived from the given one with HKDF from its name within the records: a
file that is changed, or put in the place of another, cannot be opened. `cryptography` is imported on use.
"""

import os

from monitoring.records.cipher import KEY_BYTES, key_id

_MARKER = b"aes256gcm "
_HEAD_BYTES = len(_MARKER) + 10  # the id of the key, a space and a line feed
_NONCE_BYTES = 12


class FileCipher:
    """Encrypts and decrypts one file.

    Args:
        secret: the key, 32 bytes.
        name: of the file, within the records.
    """

    def __init__(self, secret: bytes, name: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"file " + name.encode())
        self._aes = AESGCM(derive.derive(secret))
        self._head = _MARKER + key_id(secret).encode() + b" \n"

    def encrypt(self, content: bytes) -> bytes:
        """Return the bytes of the encrypted file."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._aes.encrypt(nonce, content, self._head)

    def decrypt(self, content: bytes) -> bytes:
        """The inverse of `encrypt`.

        Raises:
            ValueError: it was changed, or is another file's.
        """
        from cryptography.exceptions import InvalidTag

        start = _HEAD_BYTES + _NONCE_BYTES
        try:
            return self._aes.decrypt(content[_HEAD_BYTES:start], content[start:], content[:_HEAD_BYTES])
        except (InvalidTag, ValueError):  # ValueError: it is too short
            raise ValueError("was changed, or is another file's") from None


def file_key_id(content: bytes) -> str:
    r"""The id of the key of an encrypted file; empty for a plain one.

    >>> file_key_id(b"aes256gcm 2c9e4bb3 \n..."), file_key_id(b"WHY1...")
    ('2c9e4bb3', '')
    """
    if not content.startswith(_MARKER):
        return ""
    return content[len(_MARKER) : _HEAD_BYTES - 2].decode("ascii", "replace")
