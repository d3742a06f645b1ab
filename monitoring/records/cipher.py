r"""Encryption of the decision log at rest, line by line.

Owns: the format of an encrypted line. Leaves to others: the JSON inside and the plain line (lines), where keys come
from (log_keys), files (decision_log, segments).

    e3b0c442 {"sequence":0,"time":...}\n
    9ae0daaf aes256gcm 5d41402a 0 3 kYq3...\n
             ^         ^        ^ ^ ^ base64 of nonce (96 bits, random), ciphertext, tag
             |         |        | rows
             |         |        sequence
             |         id of the key, a digest
             algorithm

The number of rows is not encrypted, so they can be counted without the key. AES-GCM authenticates it together with the
name of the segment, so a line that is moved, copied or changed counts as damaged. Each segment has its own key, derived
from the given one with HKDF: random nonces are safe for 2^32 messages per key (NIST SP 800-38D), which a single key
would reach within a month. `cryptography` is imported only if there is a key.
"""

import binascii
import hashlib
import os
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from monitoring.records.line_encoding import EncodedBatch, Mac, encode_batch
from monitoring.records.lines import (
    CHECKSUM_BYTES,
    Batch,
    LoggedBatch,
    RowRange,
    decode_batch,
    decode_row_range,
    framed,
    unframed,
)

LOG_KEY_VARIABLE = "SCORER_LOG_KEY"
KEY_BYTES = 32
_MARKER = b" aes256gcm "
_NONCE_BYTES = 12


class KeyMissing(Exception):  # noqa: N818 - a state that ends when the key is given
    """A file is encrypted with a key that this process was not given.

    Args:
        name: of the file.
        key_id: of the missing key; empty if unknown.
    """

    def __init__(self, name: str, key_id: str = "") -> None:
        which = f"the key {key_id}, which" if key_id else "a key that"
        super().__init__(
            f"{name} is encrypted with {which} is not in {LOG_KEY_VARIABLE}; "
            f"add it there, after the current key and a comma if there is one"
        )


class EncryptedLine(NamedTuple):
    """The parts of an encrypted line."""

    key_id: str
    row_range: RowRange
    content: bytes  # nonce, ciphertext, tag


def key_id(secret: bytes) -> str:
    """Return the id of a key, which reveals nothing about the key.

    >>> key_id(bytes(32))
    '2c9e4bb3'
    """
    return hashlib.sha256(b"credit-scorer log key " + secret).hexdigest()[:8]


class SegmentCipher:
    """Encrypts and decrypts the lines of one segment with one key.

    Args:
        secret: the key, 32 bytes.
        segment: file name of the segment.
        mac: of its lines (line_encoding).
    """

    def __init__(self, secret: bytes, segment: str, mac: Mac | None = None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        self._name, self._mac = segment.encode(), mac
        derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"decision log " + self._name)
        self._aes = AESGCM(derive.derive(secret))
        self._head = _MARKER[1:] + key_id(secret).encode()

    def encode(self, batch: Batch, previous: str) -> EncodedBatch:
        """Encode and encrypt a batch as one line; `previous` is the hash of the line before."""
        payload, own_hash = encode_batch(batch, previous, self._mac)
        return EncodedBatch(self.encrypt(RowRange(batch.sequence, len(batch.rows)), payload), own_hash)

    def encrypt(self, row_range: RowRange, payload: bytes) -> bytes:
        """Encrypt the JSON of a batch as one line; JSON of equal length and row range gives lines of equal length."""
        nonce = os.urandom(_NONCE_BYTES)
        # The 12 bytes of the nonce are 16 base64 digits without padding, so the rest can be encoded separately. Each
        # copy of a large batch that this avoids takes about 10 us.
        head = b"%b %d %d %b" % (self._head, *row_range, binascii.b2a_base64(nonce, newline=False))
        ciphertext = self._aes.encrypt(nonce, payload, self._associated_data(row_range))
        content = binascii.b2a_base64(ciphertext, newline=False)
        return b"%08x %b%b\n" % (zlib.crc32(content, zlib.crc32(head)), head, content)

    def decrypt(self, encrypted: EncryptedLine) -> bytes | None:
        """Return the JSON; None if it was not encrypted with this key for this place."""
        from cryptography.exceptions import InvalidTag

        nonce, ciphertext = encrypted.content[:_NONCE_BYTES], encrypted.content[_NONCE_BYTES:]
        try:
            return self._aes.decrypt(nonce, ciphertext, self._associated_data(encrypted.row_range))
        except (InvalidTag, ValueError):  # ValueError: the nonce is incomplete
            return None

    def _associated_data(self, row_range: RowRange) -> bytes:
        return b"%b %d %d" % (self._name, *row_range)


class SegmentLines:
    """Reads the lines of one segment, which are all plain or all encrypted: a line of the other kind is damaged.

    Args:
        segment: file name.
        secrets: keys by id.
        encrypted: whether its lines are encrypted; None if that is not known, which lets both kinds through.

    Attributes:
        undecryptable_rows: number of rows in lines that `row_range` found complete but had no key to check.
    """

    def __init__(self, segment: str, secrets: Mapping[str, bytes], encrypted: bool | None = None) -> None:
        self._segment, self._secrets = segment, secrets
        self._other_kind = None if encrypted is None else not encrypted
        self._ciphers: dict[str, SegmentCipher] = {}
        self.undecryptable_rows = 0

    def batch(self, line: bytes) -> Batch | None:
        """Decode a line and its applicants; as `logged_batch`."""
        logged = self.logged_batch(line)
        return None if logged is None else logged.to_batch()

    def logged_batch(self, line: bytes) -> LoggedBatch | None:
        """Decode a line; return None if it is incomplete, damaged or not a batch.

        Raises:
            KeyMissing: it is encrypted with another key.
        """
        payload = self.payload(line)
        return None if payload is None else decode_batch(payload)

    def row_range(self, line: bytes) -> RowRange | None:
        """Decode only which rows a line holds; if the key is there, also check that the line can be decrypted."""
        if is_encrypted(line) is self._other_kind:
            return None
        if not is_encrypted(line):
            return decode_row_range(line)
        encrypted = _parse_encrypted(line)
        if encrypted is None:
            return None
        if encrypted.key_id not in self._secrets:
            self.undecryptable_rows += encrypted.row_range.rows
            return encrypted.row_range
        return None if self._cipher(encrypted.key_id).decrypt(encrypted) is None else encrypted.row_range

    def payload(self, line: bytes) -> bytes | None:
        """Return the JSON of a line; None if it is incomplete, damaged or of the other kind.

        Raises:
            KeyMissing: it is encrypted with another key.
        """
        if is_encrypted(line) is self._other_kind:
            return None
        if not is_encrypted(line):
            return unframed(line)
        encrypted = _parse_encrypted(line)
        return None if encrypted is None else self._cipher(encrypted.key_id).decrypt(encrypted)

    def rewritten(self, line: bytes, payload: bytes) -> bytes:
        """Return `line` with other JSON of the same length and row range, in the same format and under the same key."""
        if not is_encrypted(line):
            return framed(payload)
        encrypted: Any = _parse_encrypted(line)
        return self._cipher(encrypted.key_id).encrypt(encrypted.row_range, payload)

    def _cipher(self, key_id: str) -> SegmentCipher:
        if key_id not in self._secrets:
            raise KeyMissing(self._segment, key_id)
        if key_id not in self._ciphers:
            self._ciphers[key_id] = SegmentCipher(self._secrets[key_id], self._segment)
        return self._ciphers[key_id]


def is_encrypted(line: bytes) -> bool:
    """Return whether a line is encrypted."""
    return line.startswith(_MARKER, CHECKSUM_BYTES)


def _parse_encrypted(line: bytes) -> EncryptedLine | None:
    """Return the parts of a line that is complete and has the right checksum, otherwise None."""
    body = line[CHECKSUM_BYTES + 1 : -1]
    if line[-1:] != b"\n" or line[:CHECKSUM_BYTES] != b"%08x" % zlib.crc32(body):
        return None
    try:
        _, name, sequence, rows, content = body.split(b" ")
        return EncryptedLine(
            name.decode(), RowRange(int(sequence), int(rows)), binascii.a2b_base64(content, strict_mode=True)
        )
    except ValueError:  # includes binascii.Error
        return None
