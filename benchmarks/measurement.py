"""The input and output of a load generator, and the window in which it counts.

Leaves the sending to `benchmarks.load` and `benchmarks.grpc_load`.
"""

import asyncio
from array import array

import numpy as np
from msgspec import Struct

PATIENCE_S = 20  # seconds to wait for the last responses


class Load(Struct, frozen=True, kw_only=True):
    """What to send, and where.

    Attributes:
        port: on the loopback interface.
        bodies: a file with one body per line; each connection sends them in turn, from a different start.
        connections: each has one request in flight.
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
    """The result.

    Attributes:
        requests: responses with status 200 while counting.
        responses: the same over the whole load, before the window and after it too.
        per_second: requests per second.
        p50_ms, p99_ms: from writing the request to the complete response.
        busy: share of a core that this client used; near 1 the client was the bottleneck.
        cpu_us: processor time per response of all processes of the server, microseconds; set by `benchmarks.serving`.
        error: why the load was aborted, or empty.
    """

    requests: int = 0
    responses: int = 0
    per_second: float = 0
    p50_ms: float = 0
    p99_ms: float = 0
    busy: float = 0
    cpu_us: float = 0
    error: str = ""


class Window:
    """The window in which responses count, and their latencies.

    Args:
        connections: how many call `leave` at their end.
        begin_s, end_s: of the window, by `time.perf_counter`.
    """

    def __init__(self, connections: int, begin_s: float, end_s: float) -> None:
        self.begin_s, self.end_s = begin_s, end_s
        self.taken_s = array("d")
        self.responses = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open = connections

    def leave(self, error: str = "") -> None:
        """End one connection; an error ends the whole load."""
        self._open -= 1
        if self.done.done():
            return
        if error:
            self.done.set_exception(ConnectionError(error))
        elif not self._open:
            self.done.set_result(None)

    def measured(self, cpu_s: float, wall_s: float) -> Measured:
        """The result, with the client's share of a core."""
        if not self.taken_s:
            return Measured(error="no response arrived while counting")
        p50, p99 = np.percentile(self.taken_s, [50, 99]) * 1e3
        return Measured(
            requests=len(self.taken_s),
            responses=self.responses,
            per_second=len(self.taken_s) / (self.end_s - self.begin_s),
            p50_ms=float(p50),
            p99_ms=float(p99),
            busy=cpu_s / wall_s,
        )
