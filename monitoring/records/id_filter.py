r"""The filter of one log file: a small file that says which ids are certainly not in it, so that a search skips it.

Owns: the bytes of a filter, its fingerprints, and its checks. Leaves to others: when filters are made (id_indexing),
the search itself (lookup).

    <BLAKE2b of the rest, hexadecimal> {"name":"20261121T0400…","covered":67108811,"complete":true,"ids":240000,…}\n
    fingerprints of 4 bytes, ascending

A filter covers the first `covered` bytes of a segment; what has been written since is read. It has no false negatives,
and the share of ids that it wrongly lets through is `ids` / 2^32: 0.006% for 240,000 rows. It takes 4 bytes per row,
1.5% of the log. The archive of a segment holds the same ids, so its filter stays valid.

A fingerprint is a BLAKE2b of the id under a key of the file's own, derived from a random salt and, if the log is
encrypted, from the log's key. Without the log's key such a filter tells nothing but how many ids there are. That of a
plain log can be asked about an id, as can the log itself; erasure deletes the filters of the files that it changes. The
checksum is made with the same key. A filter that is torn, altered, of another file or of another key counts as missing,
and so does one without a key where there is one: it may be anybody's, and hide rows.
"""

import hashlib
import math
import os
import secrets
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from monitoring.records import private
from monitoring.records.cipher import key_id
from monitoring.records.durable import PRIVATE
from monitoring.records.log_keys import LogKeys

FINGERPRINT_BYTES = 4
SALT_BYTES = 16
DIGEST_BYTES = 32
MAX_HEAD_BYTES = 4096  # of the first line


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of a filter.

    Attributes:
        name: of the segment, without its suffix; archives have the same.
        covered: bytes of the segment, from its start, whose ids are in the filter.
        complete: whether these are all the ids that the file will ever have.
        ids: number of fingerprints.
        salt: random, hexadecimal.
        key: id of the log's key; empty for a plain log.
    """

    name: str
    covered: int
    complete: bool
    ids: int
    salt: str
    key: str


class FilterVersion(NamedTuple):
    """What changes with the content of a file that is replaced as a whole."""

    inode: int
    modified_ns: int
    size: int


class IdFilter(NamedTuple):
    """A filter that has been checked; its fingerprints stay on disk."""

    path: Path
    head: Head
    version: FilterVersion
    secret: bytes
    start: int  # offset of the first fingerprint

    def may_hold(self, application_id: str) -> bool:
        """Return whether the covered part of the file may hold an id; False is certain.

        A filter that has been replaced or deleted since it was checked says True.
        """
        wanted = fingerprint(application_id, self.secret)
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError:
            return True
        try:
            if _version(descriptor) != self.version:
                return True
            return self._has(descriptor, wanted)
        except OSError:
            return True
        finally:
            os.close(descriptor)

    def _has(self, descriptor: int, wanted: int) -> bool:
        """Look where a fingerprint is expected: they are spread evenly, so one read of some kilobytes suffices."""
        count = self.head.ids
        place, reach = wanted * count // 2**32, 4 * math.isqrt(count) + 16  # eight standard deviations
        first, last = max(0, place - reach), min(count, place + reach)
        near = self._read(descriptor, first, last)
        if not (first == 0 or near[0] < wanted) or not (last == count or near[-1] > wanted):
            near = self._read(descriptor, 0, count)
        at = bisect_left(near, wanted)
        return at < len(near) and near[at] == wanted

    def _read(self, descriptor: int, first: int, last: int) -> memoryview:
        size = FINGERPRINT_BYTES * (last - first)
        content = os.pread(descriptor, size, self.start + FINGERPRINT_BYTES * first)
        if len(content) != size:
            raise OSError("the filter is shorter than it says")
        return memoryview(content).cast("I")

    def fingerprints(self) -> memoryview:
        """Read all fingerprints: [ids], ascending."""
        return memoryview(self.path.read_bytes())[self.start :].cast("I")


def filters_directory(directory: Path) -> Path:
    """Return the folder of the filters; not among the archives, where every file is read as Parquet."""
    return directory / "ids"


def filter_path(directory: Path, file: Path) -> Path:
    """Return the path of the filter of a segment, or of its archive.

    >>> filter_path(Path("var"), Path("decisions/a-1.log")) == filter_path(Path("var"), Path("archive/x/a-1.parquet"))
    True
    """
    return filters_directory(directory) / f"{file.stem}.ids"


def fingerprint(application_id: str, secret: bytes) -> int:
    """Return the fingerprint of an id in the file that has this secret."""
    return int.from_bytes(fingerprints([application_id], secret), "little")


def fingerprints(application_ids: Iterable[str], secret: bytes) -> bytes:
    """Return the fingerprints of some ids, 4 bytes each, lowest first."""
    keyed, found = hashlib.blake2b(key=secret, digest_size=FINGERPRINT_BYTES), []
    for one in application_ids:
        own = keyed.copy()  # half the time of a new one
        own.update(one.encode("utf-8", "surrogatepass"))
        found.append(own.digest())
    return b"".join(found)


def new_secret(name: str, keys: LogKeys) -> tuple[str, str, bytes]:
    """Return salt, id of the log's key and secret for a new filter of the file called `name`."""
    salt = secrets.token_hex(SALT_BYTES)
    key = keys.secrets[0] if keys else b""
    return salt, key_id(key) if key else "", _secret(name, salt, key)


def write_filter(path: Path, head: Head, fingerprints: Iterable[int], secret: bytes) -> None:
    """Write a filter in one step, from ascending fingerprints. It is not synced: a torn one is made again."""
    private.make_folder(path.parent)
    rest = msgspec.json.encode(head) + b"\n" + array("I", fingerprints).tobytes()
    temporary = path.with_suffix(".ids.next")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as file:
        file.write(_digest(rest, secret) + b" " + rest)
    temporary.replace(path)


def read_filter(path: Path, keys: LogKeys, known: IdFilter | None = None) -> IdFilter | None:
    """Return a filter once its checksum is right; None if it is missing, torn, altered, or of another file or key.

    Args:
        path: of the filter.
        keys: of the log.
        known: the filter as it was read before, which is not checked again unless the file has been replaced.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        version = _version(descriptor)
        if known is not None and known.version == version:
            return known
        line = file.readline(MAX_HEAD_BYTES)
        digest, _, text = line.partition(b" ")
        try:
            head = msgspec.json.decode(text, type=Head)
            secret = _secret(head.name, head.salt, _key_of(head, keys))
        except (msgspec.DecodeError, ValueError):  # ValueError: no key of that id, or a salt that is none
            return None
        body = file.read()
    sound = secrets.compare_digest(digest, _digest(text + body, secret))
    if not sound or head.name != path.stem or len(body) != FINGERPRINT_BYTES * head.ids:
        return None
    return IdFilter(path, head, version, secret, len(line))


def _key_of(head: Head, keys: LogKeys) -> bytes:
    if not head.key and not keys:
        return b""
    return next((key for key in keys.secrets if key_id(key) == head.key), None) or _no_key()


def _no_key() -> bytes:
    raise ValueError("the filter was made with another key")


def _secret(name: str, salt: str, key: bytes) -> bytes:
    return hashlib.blake2b(
        name.encode(), key=key, salt=bytes.fromhex(salt), person=b"ids of a log", digest_size=32
    ).digest()


def _digest(rest: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(rest, key=secret, digest_size=DIGEST_BYTES).hexdigest().encode()


def _version(descriptor: int) -> FilterVersion:
    status = os.fstat(descriptor)
    return FilterVersion(status.st_ino, status.st_mtime_ns, status.st_size)
