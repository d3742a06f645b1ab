"""What a generator of load is asked, and what it answers; and the time in which it counts.

Leaves the sending to `benchmarks.load` and `benchmarks.grpc_load`.
"""

import asyncio
from array import array

import numpy as np
from msgspec import Struct

PATIENCE_S = 20  # seconds that the last answers may take


class Load(Struct, frozen=True, kw_only=True):
    """What to send where.

    Attributes:
        port: on the loopback.
        bodies: files, each with one body a line; each connection sends them in turn from a place of its own.
        connections: each has one request on the way.
        lead_s: seconds of load before counting begins.
        seconds: seconds of counting.
    """

    port: int
    bodies: str
    connections: int
    lead_s: float
    seconds: float
    path: str = "/predict"


class Measured(Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        requests: answered with 200 while counting.
        per_second: those a second.
        p50_ms, p99_ms: from the request's write to the whole answer.
        busy: share of a core that this client used; near 1 it was the limit, and not the server.
        error: why the load was given up, or empty.
    """

    requests: int = 0
    per_second: float = 0
    p50_ms: float = 0
    p99_ms: float = 0
    busy: float = 0
    error: str = ""


class Window:
    """The time in which answers are counted, and what they took.

    Args:
        connections: how many report that they have ended.
        begin_s, end_s: of counting, by `time.perf_counter`.
    """

    def __init__(self, connections: int, begin_s: float, end_s: float) -> None:
        self.begin_s, self.end_s = begin_s, end_s
        self.taken_s = array("d")
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open = connections

    def leave(self, error: str = "") -> None:
        """One connection has ended; with an error, the whole load has."""
        self._open -= 1
        if self.done.done():
            return
        if error:
            self.done.set_exception(ConnectionError(error))
        elif not self._open:
            self.done.set_result(None)

    def measured(self, cpu_s: float, wall_s: float) -> Measured:
        """The figures, with the client's own share of a core."""
        if not self.taken_s:
            return Measured(error="no answer came while counting")
        p50, p99 = np.percentile(self.taken_s, [50, 99]) * 1e3
        return Measured(
            requests=len(self.taken_s),
            per_second=len(self.taken_s) / (self.end_s - self.begin_s),
            p50_ms=float(p50),
            p99_ms=float(p99),
            busy=cpu_s / wall_s,
        )
