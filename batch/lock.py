"""One run per folder at a time.

Owns the lock. On a disk it is the kernel's, and ends with the process that holds it. A bucket has none: there a file
that its holder renews says so, and is ignored once it is old. Should two runs into a bucket slip through, no score is
wrong: each part is the same bytes under the same name.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from batch.errors import BatchError
from batch.output import RUN, Output
from monitoring.records.locks import FileLock

LEASE = f"{RUN}/lease.json"
RENEW_S, STALE_S = 20.0, 90.0


@contextmanager
def exclusive(out: str, output: Output) -> Iterator[None]:
    """Hold the folder; raises `BatchError` while another run holds it."""
    if output.folder is None:
        with _leased(out, output):
            yield
        return
    with FileLock(output.folder / RUN / "lock") as lock:
        if not lock.acquire():
            raise BatchError(f"another run is scoring into {out}; wait until it ends, or give another --out")
        yield


@contextmanager
def _leased(out: str, output: Output) -> Iterator[None]:
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"
    held = msgspec.json.decode(output.read(LEASE) or b"{}")
    age_s = time.time() - held.get("renewed_s", 0)
    if held.get("owner") and age_s < STALE_S:
        problem = f"another run, {held['owner']}, is scoring into {out}, or was killed {age_s:.0f} s ago"
        raise BatchError(f"{problem}; wait {STALE_S - age_s:.0f} s, or give another --out")
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_S):
            output.write(LEASE, _lease(owner))

    output.write(LEASE, _lease(owner))
    if msgspec.json.decode(output.read(LEASE) or b"{}").get("owner") != owner:
        raise BatchError(f"another run has just begun to score into {out}; give another --out")
    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        output.write(LEASE, b"{}")


def _lease(owner: str) -> bytes:
    return msgspec.json.encode({"owner": owner, "renewed_s": time.time()})
