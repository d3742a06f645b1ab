"""The keys of the decision log: none for a plain log, one, or several while old ones are still needed for reading.

Owns: reading the keys from the environment, and which key is used for what. Leaves to others: encryption (cipher,
archive), the keys of seals (seal_keys), which belong to them.
"""

import binascii
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from configs.monitoring import Monitoring
from configs.source import ConfigError
from monitoring.records.cipher import (
    KEY_BYTES,
    LOG_KEY_VARIABLE,
    KeyMissing,
    SegmentCipher,
    SegmentLines,
    is_encrypted,
    key_id,
)
from monitoring.records.file_cipher import FileCipher, file_key_id
from monitoring.records.line_encoding import Encoder, encode_line
from monitoring.records.lines import unframed
from monitoring.records.proof.seal_keys import NO_SEAL_KEYS, SealKeys, seal_keys_from
from monitoring.records.proof.segment_ends import read_head


class LogKeys:
    """The keys of a log: the first one encrypts, all of them decrypt; without keys the log is plain.

    Args:
        secrets: keys of 32 bytes each.
        seals: keys that sign what is written and check what is read.
    """

    def __init__(self, secrets: Sequence[bytes] = (), seals: SealKeys = NO_SEAL_KEYS) -> None:
        self._secrets = {key_id(secret): secret for secret in secrets}
        self.seals = seals

    def __bool__(self) -> bool:
        """Return whether there is a key to encrypt with."""
        return bool(self._secrets)

    @property
    def secrets(self) -> list[bytes]:
        """The keys themselves, for archives; the first one encrypts."""
        return list(self._secrets.values())

    def encoder(self, segment: str) -> Encoder:
        """Return the function that encodes the lines of a new segment of this name."""
        mac = self.seals.mac(self.seals.signer, segment)
        if not self._secrets:
            return functools.partial(encode_line, mac=mac) if mac else encode_line
        return SegmentCipher(next(iter(self._secrets.values())), segment, mac).encode

    def lines(self, segment: Path) -> SegmentLines:
        """Return the reader of the lines of a segment, whose first line says of which kind all others are."""
        return SegmentLines(segment.name, self._secrets, encrypted=_is_encrypted(segment))

    def seal_file(self, name: str, content: bytes) -> bytes:
        """Encrypt a whole file of the records with the first key; without keys it stays as it is."""
        if not self._secrets:
            return content
        return FileCipher(next(iter(self._secrets.values())), name).encrypt(content)

    def open_file(self, name: str, content: bytes) -> bytes:
        """The inverse of `seal_file`, with any of the keys.

        Raises:
            KeyMissing: it is encrypted with another key.
            ValueError: it is damaged.
        """
        identifier = file_key_id(content)
        if not identifier:
            return content
        if identifier not in self._secrets:
            raise KeyMissing(name, identifier)
        return FileCipher(self._secrets[identifier], name).decrypt(content)

    def is_sealed_with_first(self, content: bytes) -> bool:
        """Return whether a file is as `seal_file` would leave it."""
        return file_key_id(content) == next(iter(self._secrets), "")


NO_KEYS = LogKeys()


def _is_encrypted(segment: Path) -> bool | None:
    """Whether the lines of a segment are encrypted, by its head; by its first line if an earlier version wrote it.

    A segment whose first line is damaged is encrypted if any of its lines is; None if there is no line to tell.
    """
    try:
        file = segment.open("rb")
    except FileNotFoundError:
        return None
    with file:
        first = file.readline()
        if head := read_head(first):
            return head.kind != "plain"
        if not first.endswith(b"\n"):
            return None
        if is_encrypted(first) or unframed(first) is not None:
            return is_encrypted(first)
        return any(map(is_encrypted, file))


def log_keys_from(environment: Mapping[str, str], seal_key_file: str = "", seal_public_keys_file: str = "") -> LogKeys:
    """Read `SCORER_LOG_KEY`: base64 of 32 bytes, or several such keys separated by commas; unset for a plain log.

    Args:
        environment: of the process.
        seal_key_file: path of the seal's private keys; empty for none (seal_keys).
        seal_public_keys_file: path of public keys to check seals with; empty for none.

    Raises:
        ConfigError: the value is anything else, including empty; the message does not show it.
    """
    seals = seal_keys_from(environment, seal_key_file, seal_public_keys_file)
    if LOG_KEY_VARIABLE not in environment:
        return LogKeys(seals=seals) if seals else NO_KEYS
    secrets = [_secret(part) for part in environment[LOG_KEY_VARIABLE].split(",")]
    if not all(len(secret) == KEY_BYTES for secret in secrets):
        remedy = "make one with `head -c 32 /dev/urandom | base64`, or unset it for a log in plain text"
        raise ConfigError("environment", LOG_KEY_VARIABLE, f"is not base64 of {KEY_BYTES} bytes", remedy)
    return LogKeys(secrets, seals)


def configured_keys(settings: Monitoring, environment: Mapping[str, str]) -> LogKeys:
    """The keys that the monitoring file and the environment name, see `log_keys_from`."""
    return log_keys_from(environment, settings.seal_key_file, settings.seal_public_keys_file)


def _secret(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text.strip(), strict_mode=True)
    except (binascii.Error, ValueError):
        return b""
