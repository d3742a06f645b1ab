r"""The decision log at rest: how a line of a segment is written and read, in plain or under a key.

Owns: the form of an encrypted line. Leaves to others: the JSON inside and the plain line (records), where keys come
from (keys), files (decision_log, segments).

    e3b0c442 {"sequence":0,"time":...}\n
    9ae0daaf aes256gcm 5d41402a 0 3 kYq3...\n
             ^         ^        ^ ^ ^ base64 of nonce (96 bits, random), ciphertext, tag
             |         |        | rows
             |         |        sequence
             |         which key, a digest
             algorithm

How many rows a line has is no secret, so they can be counted without the key. AES-GCM binds that and the segment's
name to what is encrypted, so a line that is moved, copied or changed is a damaged one. Each segment has a key of its
own, made from the given one by HKDF: random nonces are safe for 2^32 messages a key (NIST SP 800-38D), and one key for
all would reach that in a month. `cryptography` is imported when there is a key.
"""

import binascii
import hashlib
import os
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from monitoring.records.lines import Batch, RowRange, decode_batch, decode_line, decode_row_range, encode_batch

LOG_KEY_VARIABLE = "SCORER_LOG_KEY"
KEY_BYTES = 32
_MARK = b" aes256gcm "
_CHECKSUM_BYTES = 8  # as of a plain line
_NONCE_BYTES = 12


class KeyMissing(Exception):  # noqa: N818 - a state that passes
    """Something is encrypted with a key that this process was not given.

    Args:
        name: of the file.
        key_id: of the key it wants, as far as that is known.
    """

    def __init__(self, name: str, key_id: str = "") -> None:
        which = f"the key {key_id}, which" if key_id else "a key that"
        super().__init__(
            f"{name} is encrypted with {which} is not in {LOG_KEY_VARIABLE}; "
            f"put it there, after the present key and a comma if there is one"
        )


class EncryptedLine(NamedTuple):
    """An encrypted line, taken apart."""

    key_id: str
    row_range: RowRange
    content: bytes  # nonce, ciphertext, tag


def key_id(secret: bytes) -> str:
    """Name a key, without telling anything of it.

    >>> key_id(bytes(32))
    '2c9e4bb3'
    """
    return hashlib.sha256(b"credit-scorer log key " + secret).hexdigest()[:8]


class SegmentCipher:
    """One key's way to write and read the lines of one segment.

    Args:
        secret: of 32 bytes.
        segment: its file's name.
    """

    def __init__(self, secret: bytes, segment: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        self._name = segment.encode()
        derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"decision log " + self._name)
        self._aes = AESGCM(derive.derive(secret))
        self._head = _MARK[1:] + key_id(secret).encode()

    def encode(self, batch: Batch) -> bytes:
        """Write a batch as one line."""
        return self.encrypt(RowRange(batch.sequence, len(batch.rows)), encode_batch(batch))

    def encrypt(self, row_range: RowRange, payload: bytes) -> bytes:
        """Write the JSON of a batch as one line; equally long JSON of the same row_range makes equally long lines."""
        nonce = os.urandom(_NONCE_BYTES)
        # The 12 bytes of the nonce are 16 digits without padding, so what follows may be encoded apart; each copy of a
        # large batch that is saved here is some 10 us.
        head = b"%b %d %d %b" % (self._head, *row_range, binascii.b2a_base64(nonce, newline=False))
        content = binascii.b2a_base64(self._aes.encrypt(nonce, payload, self._bound(row_range)), newline=False)
        return b"%08x %b%b\n" % (zlib.crc32(content, zlib.crc32(head)), head, content)

    def decrypt(self, encrypted: EncryptedLine) -> bytes | None:
        """Give the JSON back; None when it is not what this key has sealed here."""
        from cryptography.exceptions import InvalidTag

        nonce, ciphertext = encrypted.content[:_NONCE_BYTES], encrypted.content[_NONCE_BYTES:]
        try:
            return self._aes.decrypt(nonce, ciphertext, self._bound(encrypted.row_range))
        except (InvalidTag, ValueError):  # ValueError: the nonce is cut short
            return None

    def _bound(self, row_range: RowRange) -> bytes:
        return b"%b %d %d" % (self._name, *row_range)


class SegmentLines:
    """Reads the lines of one segment, plain and encrypted ones.

    Attributes:
        undecryptable_rows: rows of which `row_range` knows only that their line is whole, for want of the key.
    """

    def __init__(self, segment: str, secrets: Mapping[str, bytes]) -> None:
        self._segment, self._secrets = segment, secrets
        self._ciphers: dict[str, SegmentCipher] = {}
        self.undecryptable_rows = 0

    def batch(self, line: bytes) -> Batch | None:
        """Read a line; None when it is cut short, damaged, or no batch.

        Raises:
            KeyMissing: it is sealed with another key.
        """
        if not is_encrypted(line):
            return decode_line(line)
        payload = self.payload(line)
        return None if payload is None else decode_batch(payload)

    def row_range(self, line: bytes) -> RowRange | None:
        """Read only which rows a line holds, and, as far as the key is there, whether it can be opened."""
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
        """Give the JSON of a line; None when it is cut short or damaged.

        Raises:
            KeyMissing: it is sealed with another key.
        """
        if not is_encrypted(line):
            return None if decode_row_range(line) is None else line[_CHECKSUM_BYTES + 1 : -1]
        encrypted = _parse_encrypted(line)
        return None if encrypted is None else self._cipher(encrypted.key_id).decrypt(encrypted)

    def rewritten(self, line: bytes, payload: bytes) -> bytes:
        """Give `line` with another JSON of the same length and row_range, in the same form and with the same key."""
        if not is_encrypted(line):
            return b"%08x %b\n" % (zlib.crc32(payload), payload)
        encrypted: Any = _parse_encrypted(line)
        return self._cipher(encrypted.key_id).encrypt(encrypted.row_range, payload)

    def _cipher(self, key_id: str) -> SegmentCipher:
        if key_id not in self._secrets:
            raise KeyMissing(self._segment, key_id)
        if key_id not in self._ciphers:
            self._ciphers[key_id] = SegmentCipher(self._secrets[key_id], self._segment)
        return self._ciphers[key_id]


def is_encrypted(line: bytes) -> bool:
    """Whether a line is an encrypted one."""
    return line.startswith(_MARK, _CHECKSUM_BYTES)


def _parse_encrypted(line: bytes) -> EncryptedLine | None:
    """Give the parts of a whole line with the right checksum."""
    body = line[_CHECKSUM_BYTES + 1 : -1]
    if line[-1:] != b"\n" or line[:_CHECKSUM_BYTES] != b"%08x" % zlib.crc32(body):
        return None
    try:
        _, name, sequence, rows, content = body.split(b" ")
        return EncryptedLine(name.decode(), RowRange(int(sequence), int(rows)), binascii.a2b_base64(content))
    except ValueError:  # binascii.Error is one
        return None
