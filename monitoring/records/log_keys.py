"""The keys of the decision log: none for a plain log, one, or several while old ones are still needed for reading.

Owns: reading the keys from the environment, and which key is used for what. Leaves to others: encryption (cipher,
archive).
"""

import binascii
from collections.abc import Callable, Mapping, Sequence

from configs.source import ConfigError
from monitoring.records.cipher import KEY_BYTES, LOG_KEY_VARIABLE, KeyMissing, SegmentCipher, SegmentLines, key_id
from monitoring.records.file_cipher import FileCipher, file_key_id
from monitoring.records.lines import Batch, encode_line


class LogKeys:
    """The keys of a log: the first one encrypts, all of them decrypt; without keys the log is plain.

    Args:
        secrets: keys of 32 bytes each.
    """

    def __init__(self, secrets: Sequence[bytes] = ()) -> None:
        self._secrets = {key_id(secret): secret for secret in secrets}

    def __bool__(self) -> bool:
        """Return whether there is a key to encrypt with."""
        return bool(self._secrets)

    @property
    def secrets(self) -> list[bytes]:
        """The keys themselves, for archives; the first one encrypts."""
        return list(self._secrets.values())

    def encoder(self, segment: str) -> Callable[[Batch], bytes]:
        """Return the function that encodes the lines of a new segment of this name."""
        if not self._secrets:
            return encode_line
        return SegmentCipher(next(iter(self._secrets.values())), segment).encode

    def lines(self, segment: str) -> "SegmentLines":
        """Return the reader of the lines of the segment of this name."""
        return SegmentLines(segment, self._secrets)

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


def log_keys_from(environment: Mapping[str, str]) -> LogKeys:
    """Read `SCORER_LOG_KEY`: base64 of 32 bytes, or several such keys separated by commas; unset for a plain log.

    Raises:
        ConfigError: the value is anything else, including empty; the message does not show it.
    """
    if LOG_KEY_VARIABLE not in environment:
        return NO_KEYS
    secrets = [_secret(part) for part in environment[LOG_KEY_VARIABLE].split(",")]
    if not all(len(secret) == KEY_BYTES for secret in secrets):
        remedy = "make one with `head -c 32 /dev/urandom | base64`, or unset it for a log in plain text"
        raise ConfigError("environment", LOG_KEY_VARIABLE, f"is not base64 of {KEY_BYTES} bytes", remedy)
    return LogKeys(secrets)


def _secret(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text.strip(), strict_mode=True)
    except (binascii.Error, ValueError):
        return b""
