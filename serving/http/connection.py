"""The connection: uvicorn's HTTP protocol with the limits that it lacks.

Owns: the limit on a head, the time in which a request must arrive and for which a connection may be idle, and upgrades
that nobody takes. One of two modules that use uvicorn's private parts, with `serving.http.protocol`: there is no public
way to a limit on heads with httptools, nor to a deadline for requests, and BentoML passes uvicorn no class of ours.
`tests/serving/http/test_protocol.py` fails when they change.
"""

import asyncio
from typing import Any, ClassVar

import httptools
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES = 65_536  # the limit of uvicorn with h11; nginx has 32 KiB, browsers send some 2
MAX_UNREAD_BYTES = 16 << 20  # of a body that was answered already; its sender may read that before the connection ends
SWEEP_S = 1.0  # seconds between two looks at the deadlines of all connections
NOT_REPEATED = (b"upgrade", b"http2-settings", b"connection")
NEVER_S = float("inf")


class Limits(Struct, frozen=True):
    """The limits of all connections.

    Attributes:
        timeout_s: seconds for a request to arrive.
        idle_s: seconds that a connection may be without a request.
    """

    timeout_s: float
    idle_s: float


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    limits: ClassVar[Limits]  # set before the server listens
    _swept: ClassVar[asyncio.AbstractEventLoop | None] = None  # the loop that has the timer
    cycle: Any  # uvicorn's, or what stands for it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        self._stray_bytes = 0
        self._upgrade_ignored = False
        self.wait_for_request()
        if LimitedProtocol._swept is not self.loop:
            LimitedProtocol._swept = self.loop
            self.loop.call_later(SWEEP_S, self._sweep)

    # Deadlines

    def wait_for_request(self) -> None:
        """Be idle."""
        self.receiving = False
        self.until_s = self.loop.time() + self.limits.idle_s

    def _sweep(self) -> None:
        """End what takes too long on the connections of this worker: one timer instead of one per request."""
        now_s = self.loop.time()
        for connection in [one for one in self.connections if isinstance(one, LimitedProtocol) and one.until_s < now_s]:
            connection.until_s = NEVER_S
            connection.time_out()
        self.loop.call_later(SWEEP_S, self._sweep)

    def time_out(self) -> None:
        """End an idle connection, or one whose request has not arrived in time."""
        head_is_late = self.receiving and "path" not in self.scope
        if head_is_late and (self.cycle is None or self.cycle.response_complete):
            self.refuse(408, b"timeout", b"the head of the request did not arrive in time")
        else:  # idle, or the body of a request does not come, which the application has answered
            self.transport.close()

    # Bytes

    def data_received(self, data: bytes) -> None:
        """Parse bytes of the client."""
        cycle = self.cycle
        body_bytes = len(cycle.body) if cycle is not None else 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._upgrade_ignored:
                self._parse_without_upgrade(data[upgrade.args[0] :])
            elif self._should_upgrade():
                self.handle_websocket_upgrade()
            return
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._end_at_garbage()
            return
        if self.receiving:
            self._limit_stray_bytes(len(data), cycle, body_bytes)
        else:
            self._stray_bytes = 0

    def _end_at_garbage(self) -> None:
        """Refuse what cannot be parsed; a whole request before it is answered first, and nothing else."""
        in_body = self.receiving and "path" in self.scope
        if self.cycle is None or self.cycle.response_complete or in_body:
            self.refuse(400, b"bad_request", b"Invalid HTTP request received.")
        else:
            self.cycle.keep_alive = False
            self.flow.pause_reading()

    def _limit_stray_bytes(self, size: int, earlier: Any, body_bytes: int) -> None:
        """End a connection that keeps sending bytes which belong to no body: heads, trailers, extensions of chunks.

        A head that arrives whole in one read, of up to 256 KiB, passes: there is nothing left to protect by then.
        """
        cycle = self.cycle
        head_is_whole = "path" in self.scope  # which is set then
        if head_is_whole and len(cycle.body) > (body_bytes if cycle is earlier else 0):
            self._stray_bytes = 0
            return
        answered = head_is_whole and cycle.response_complete
        self._stray_bytes += size
        if self._stray_bytes > (MAX_UNREAD_BYTES if answered else MAX_HEAD_BYTES):
            if head_is_whole and cycle.response_started:
                self.transport.close()
            else:
                self.refuse(431, b"too_large", b"the head of the request is over %d bytes" % MAX_HEAD_BYTES)

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Parse a request again as plain HTTP/1.1: a client that offers `h2c` sends its body all the same.

        Args:
            rest: the bytes after its head.
        """
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers if name not in NOT_REPEATED]
        tokens = b",".join(value for name, value in self.headers if name == b"connection").split(b",")
        if any(token.strip().lower() == b"close" for token in tokens):
            lines.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def refuse(self, status: int, code: bytes, message: bytes) -> None:
        """Answer what never became a request, and close."""
        if not self.transport.is_closing():
            body = b'{"error":{"code":"%b","message":"%b"}}' % (code, message)
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINE[status] + head + body)
            self.transport.close()

    # Requests

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._upgrade_ignored = False
        self.receiving = True
        self.until_s = self.loop.time() + self.limits.timeout_s + SWEEP_S  # the application's own 504 comes first

    def on_headers_complete(self) -> None:
        """Begin the response, but for a request that the parser takes to have no body as it offers an upgrade."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT" and not self._should_upgrade():
            self._upgrade_ignored = True
        else:
            self.begin_response()

    def begin_response(self) -> None:
        """Begin the response to a request whose head is whole."""
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if not self._upgrade_ignored:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        if self._upgrade_ignored:
            return
        self.receiving = False
        self.until_s = NEVER_S  # the response has a deadline of its own
        self.complete_request()
        if self.cycle is not None and self.cycle.response_complete:
            self.wait_for_request()

    def complete_request(self) -> None:
        """Do what follows when a request is whole."""
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what was pipelined, or wait for the next request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if not self.flow.write_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self.receiving:
            self.wait_for_request()

    def pause_writing(self) -> None:
        """Take no more requests of a client that does not read."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Go on when it reads."""
        super().resume_writing()
        if not self.pipeline:
            self.flow.resume_reading()
