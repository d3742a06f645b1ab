"""Whether a caller is authorized: its key known, not expired, with the permission, and within its rate.

Owns the decision, for every protocol, and following the key file. Leaves to others: rates (`serving.access.rates`), of
which those of rows and explanations are spent where their number is known; where a protocol carries the key and which
route needs which permission (`serving.access.middleware`, `serving.access.grpc_access`); and the file's form
(`configs.api_keys`).

Keys are looked up by their SHA-256 and compared in constant time. The time of the look-up depends on a hash that a
caller cannot steer, so the table may be an ordinary dict, however many keys there are.
"""

import hashlib
import hmac
import logging
import math
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from prometheus_client import Gauge

from configs.api_keys import Key, Permission, read_api_keys
from configs.source import ConfigError
from serving.access.denials import AccessDenied, OverRate, WrongKey
from serving.access.rates import Bucket, Rate
from serving.access.wrong_keys import WrongKeys
from serving.calls import Caller

POLL_INTERVAL_S = 1.0  # seconds between two looks at the file: a revoked key works for that long at most
KEY_FORMS = "`Authorization: Bearer <key>` or `X-API-Key: <key>`"

logger = logging.getLogger("bentoml.scorer")

Stamp = tuple[int, int, int]


class _Entry:
    """A key with its state."""

    __slots__ = ("bucket", "caller", "digest", "expires_s", "key")
    caller: Caller

    def __init__(self, key: Key, workers: int, now_s: Callable[[], float], before: "_Entry | None") -> None:
        self.key = key
        self.digest = bytes.fromhex(key.sha256)
        self.expires_s = key.expires.timestamp() if key.expires else math.inf
        # Rates that stay the same keep their state, or every change of the file would fill all buckets.
        self.bucket: Bucket | None = None
        if before and (before.key.requests_per_s, before.key.burst) == (key.requests_per_s, key.burst):
            self.bucket = before.bucket
        elif key.requests_per_s:
            burst = key.requests_per_s if key.burst is None else key.burst
            self.bucket = Bucket(key.requests_per_s / workers, burst / workers)

        def rate(unit: str, per_s: float | None, kept: Rate | None) -> Rate | None:
            if per_s is None or (kept and (kept.key, kept.per_s) == (key.name, per_s)):
                return kept if per_s else None
            return Rate(key.name, unit, per_s, workers, now_s)

        had = before.caller if before else Caller(key.name, reads_all=False)
        self.caller = Caller(
            key.name,
            "read_all" in key.permissions,
            rate("rows scored", key.rows_per_s, had.rows),
            rate("rows explained", key.explanations_per_s, had.explanations),
        )


class Authenticator:
    """Authorizes callers by the keys of one file.

    Args:
        path: the key file; None requires no key.
        workers: processes that share the callers. Each grants its share of a rate, without asking the others, so a
            caller that keeps to one connection, and with it to one worker, gets that share alone.
        now_s: a clock that only goes forwards, in seconds.

    Attributes:
        wrong_keys: those that were refused, over all protocols.

    Raises:
        ConfigError: the file cannot be read or makes no sense.
    """

    def __init__(self, path: Path | None, workers: int = 1, now_s: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._workers = workers
        self._now_s = now_s
        self.wrong_keys = WrongKeys(now_s)
        self._entries: dict[bytes, _Entry] = {}
        self._stamp: Stamp | None = None
        if path:
            self._stamp = _stamp(path)
            self._replace(read_api_keys(path))

    @property
    def requires_keys(self) -> bool:
        """Whether there is a key file."""
        return self._path is not None

    def authorize(self, presented: str | None, permission: Permission) -> Caller:
        """Return whose the key `presented` is, if it has `permission` now; raises `Rejected`: 401, 403 or 429."""
        if not presented:
            raise AccessDenied(401, f"this service requires a key, as {KEY_FORMS}")
        digest = hashlib.sha256(presented.encode("utf-8", "replace")).digest()
        entry = self._entries.get(digest)
        if entry is None or not hmac.compare_digest(entry.digest, digest):
            raise WrongKey("the key is unknown or was revoked", "unknown")
        key = entry.key
        if time.time() >= entry.expires_s:
            raise WrongKey(f"the key {key.name} expired at {key.expires}", "expired")
        if permission not in key.permissions:
            allowed = ", ".join(key.permissions)
            raise AccessDenied(403, f"the key {key.name} does not have the permission {permission}, only {allowed}")
        if entry.bucket is not None and (wait_s := entry.bucket.wait_s(self._now_s())):
            message = f"the key {key.name} may make {key.requests_per_s:g} requests a second; wait"
            raise OverRate(message, math.ceil(wait_s))
        return entry.caller

    def watch(self) -> None:
        """Follow the file from now on, in a daemon thread, so that no request waits for it; log wrong keys there."""
        if self._path:
            _broken().set(0)
            threading.Thread(target=self._follow, name="keys", daemon=True).start()

    def reload_if_changed(self) -> None:
        """Read the file if it has changed; one that is broken or missing is logged, and the keys stay as they are."""
        if self._path is None:
            return
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._stamp = stamp  # taken before reading: what is written meanwhile is another change
            keys = read_api_keys(self._path)
        except ConfigError as error:
            _broken().set(1)
            logger.error("the keys stay as they were: %s", error)  # noqa: TRY400 - the message says it all
            return
        self._replace(keys)
        _broken().set(0)
        logger.info("read %s again: %s", self._path, ", ".join(key.name for key in keys) or "no keys")

    def _follow(self) -> None:
        while True:
            time.sleep(POLL_INTERVAL_S)
            self.reload_if_changed()
            self.wrong_keys.report()

    def _replace(self, keys: tuple[Key, ...]) -> None:
        entries = {}
        for key in keys:
            digest = bytes.fromhex(key.sha256)
            entries[digest] = _Entry(key, self._workers, self._now_s, self._entries.get(digest))
        self._entries = entries  # at once: a request sees the old keys or the new ones


def _stamp(path: Path) -> Stamp | None:
    """Changes whenever the file does; None when there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@cache
def _broken() -> Gauge:
    """1 while the key file is not what is in force; made in the worker, as `serving.metrics` says."""
    about = "1 while the key file cannot be used, and the keys read before are in force"
    return Gauge("scorer_keys_file_broken", about, multiprocess_mode="mostrecent")
