"""The end of a worker: how long after SIGTERM what may still take.

    SIGTERM ──── 3/4 of grace_s ─────► requests and calls that were begun are answered, over both protocols at once
       then ──── 1 s ────────────────► what is left is refused with 503 or closed; clients may read to the end
       then ──── the rest, less 1 s ─► the log is closed and the profiler ends with it
       grace_s - 1 s ────────────────► the process manager kills what is still there, which loses no row

Owns these times, and noticing the signal: uvicorn has no public limit on its shutdown that a service could set, and
waits for as long as a connection is open. Leaves ending connections to `serving.http.closing`, and calls to
`serving.v2.grpc_server`.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from types import FrameType

REQUEST_SHARE = 0.75  # of the grace, in which requests end
KILL_S = 1.0  # before the end of the grace the process manager kills
LEAST_S = 0.5


class Shutdown:
    """The shutdown of one worker.

    Args:
        grace_s: seconds from SIGTERM until the worker has to be gone.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._began_s: float | None = None

    @property
    def requests_s(self) -> float:
        """Seconds that requests may take from the signal on."""
        return self._grace_s * REQUEST_SHARE

    @property
    def left_s(self) -> float:
        """Seconds that are left before the worker is killed, at least a little; all of them before the signal."""
        passed_s = 0.0 if self._began_s is None else time.monotonic() - self._began_s
        return max(self._grace_s - KILL_S - passed_s, LEAST_S)

    def watch(self, *on_begin: Callable[[float], None]) -> None:
        """In a worker, on its event loop: as soon as a signal ends the worker, call these there with `requests_s`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)  # uvicorn's, which is called as well

            def begin(number: int, frame: FrameType | None, before: object = before) -> None:
                if self._began_s is None:
                    self._began_s = time.monotonic()
                    for call in on_begin:
                        loop.call_soon_threadsafe(call, self.requests_s)
                if callable(before):
                    before(number, frame)

            signal.signal(number, begin)


def kill_after_s(grace_s: float) -> float:
    """Seconds after the signal at which the process manager kills.

    >>> kill_after_s(25), kill_after_s(1)
    (24.0, 0.5)
    """
    return max(grace_s - KILL_S, LEAST_S)
