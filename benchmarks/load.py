"""Load over HTTP: keep-alive connections to one server, each with one request in flight.

    python -m benchmarks.load    one JSON object per line in (`Load`), one per line out (`Measured`)

A separate, long-lived process, so that the client's work is not the measuring program's, and starts only once. An
`asyncio.Protocol` on uvloop parses only the status and length of a response: 10 us per request, so that it is not the
bottleneck for any server in Python; against the constant response it measures the same as `wrk`.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import cast

import msgspec
import uvloop

from benchmarks.measurement import PATIENCE_S, Load, Measured, Window

OK = b"HTTP/1.1 200"
LENGTH = b"content-length: "
END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection: sends the next request as soon as a response is complete."""

    def __init__(self, requests: Sequence[bytes], first: int, window: Window) -> None:
        self._requests = requests
        self._next = first
        self._window = window
        self._held = b""
        self._sent_s = 0.0
        self._head = Head()
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is not a subclass
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count a completed response."""
        if self._held:
            data = self._held + data
        length = self._head.length(data)
        if length < 0 or length > len(data):
            self._held = data
            return
        now_s = time.perf_counter()
        if length == 0 or length < len(data):
            self._end(f"not a response with status 200 and a content-length: {data[:300]!r}")
            return
        self._held = b""
        window = self._window
        window.responses += 1
        if window.begin_s <= now_s < window.end_s:
            window.taken_s.append(now_s - self._sent_s)
        if now_s < window.end_s:
            self._send()
        else:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed the connection: an error, unless the load is over."""
        self._end(f"the server closed the connection ({exc}) after {self._held[:300]!r}")

    def _send(self) -> None:
        requests = self._requests
        self._next = (self._next + 1) % len(requests)
        self._sent_s = time.perf_counter()
        self._transport.write(requests[self._next])

    def _end(self, error: str = "") -> None:
        if not self._ended:
            self._ended = True
            self._window.leave(error)
            self._transport.close()


class Head:
    """The position of the length in one server's response heads: found in the first, then reused."""

    def __init__(self) -> None:
        self._at = self._until = self._body = 0

    def length(self, data: bytes) -> int:
        """Bytes of the whole response; -1 while the head is incomplete, 0 if the response does not count."""
        if (
            self._body
            and data.startswith(OK)
            and data[self._body - 4 : self._body] == END
            and data[self._at - 16 : self._at].lower() == LENGTH
        ):
            return self._body + int(data[self._at : self._until])
        end = data.find(END)
        if end < 0:
            return -1
        head = data[: end + 2].lower()
        at = head.find(b"\r\n" + LENGTH) + 2 + len(LENGTH)
        if not data.startswith(OK) or at < 2 + len(LENGTH):
            return 0
        self._at, self._until, self._body = at, head.index(b"\r\n", at), end + 4
        return self._body + int(data[self._at : self._until])


def requests(path: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Each body as the bytes of a complete request."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: "
    return [head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies]


async def run(load: Load, ready: Sequence[bytes]) -> Measured:
    """Put one load on a server."""
    loop = asyncio.get_running_loop()
    begin_s = time.perf_counter() + load.lead_s
    window = Window(load.connections, begin_s, begin_s + load.seconds)
    started_s, cpu_s = time.perf_counter(), time.process_time()
    try:
        for index in range(load.connections):
            first = index * len(ready) // load.connections
            connection = partial(Connection, ready, first, window)
            await loop.create_connection(connection, "127.0.0.1", load.port)
        await asyncio.wait_for(window.done, load.lead_s + load.seconds + PATIENCE_S)
    except (OSError, TimeoutError) as error:
        return Measured(error=str(error) or f"no response for {PATIENCE_S} s")
    return window.measured(time.process_time() - cpu_s, time.perf_counter() - started_s)


def main() -> None:
    """Write one measurement per line of input."""
    gc.disable()  # there are few reference cycles, and a collection would count as the server's time
    made: dict[tuple[str, str], list[bytes]] = {}
    for line in sys.stdin.buffer:
        load = msgspec.json.decode(line, type=Load)
        if (load.path, load.bodies) not in made:
            with open(load.bodies, "rb") as file:  # noqa: PTH123 - the name came as text
                made[load.path, load.bodies] = requests(load.path, file.read().splitlines())
        measured = uvloop.run(run(load, made[load.path, load.bodies]))
        gc.collect()
        sys.stdout.buffer.write(msgspec.json.encode(measured) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
