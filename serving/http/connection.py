"""The connection: uvicorn's HTTP protocol with the limits that it lacks.

Owns the limit on a head, the time in which a request must arrive and for which a connection may be idle, and offers of
an upgrade, which are declined. Leaves to others: the number of connections (`serving.http.closing`). Uses private
parts of uvicorn, as `serving.http.protocol` does: there is no public way to limit heads with httptools, nor to give
requests a deadline. `tests/serving/http/test_protocol.py` fails when these parts change.
"""

import asyncio
import logging
from typing import Any, ClassVar

import httptools
from msgspec import Struct
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from models.errors import Rejected, ScorerError
from serving.error_responses import error_response
from serving.faults import error_from
from serving.http.request_target import host_in, with_path

MAX_HEAD_BYTES = 65_536  # the limit of uvicorn with h11; nginx has 32 KiB, browsers send some 2
MAX_UNREAD_BYTES = 16 << 20  # of a body whose response is already sent; the client may read that before the end
SWEEP_S = 1.0  # seconds between two checks of the deadlines of all connections
CLOSE_S = 5.0  # seconds for a client to read what a closed connection still has for it
NOT_REPEATED = (b"upgrade", b"http2-settings", b"connection")
NEVER_S = float("inf")
logger = logging.getLogger("bentoml.scorer")


class Limits(Struct, frozen=True):
    """The limits of all connections.

    Attributes:
        timeout_s: seconds for a request to arrive, and again for its response.
        idle_s: seconds that a connection may be without a request.
        per_address: connections of one address; 0 is three quarters of what the file descriptors allow.
    """

    timeout_s: float
    idle_s: float
    per_address: int = 0


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    limits: ClassVar[Limits]  # set before the server listens
    _swept: ClassVar[asyncio.AbstractEventLoop | None] = None  # the loop that has the timer
    cycle: Any  # of the newest request: uvicorn's, or what stands for it
    scope: Any  # of the newest request; has a path once its head is whole

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        self._stray_bytes = 0
        self._progress = False  # whether the bytes just read belonged to a body or ended a request
        self._refused = False  # whether this connection is one too many
        self._ignored = False  # whether the request being parsed is dropped
        self._broken = False  # whether what follows the requests received so far cannot be parsed
        self.wait_for_request()
        if LimitedProtocol._swept is not self.loop:
            LimitedProtocol._swept = self.loop
            self.loop.call_later(SWEEP_S, self.sweep)

    # Deadlines

    def wait_for_request(self) -> None:
        """Begin to be idle."""
        self.receiving = False
        self.until_s = self.loop.time() + self.limits.idle_s

    def sweep(self) -> None:
        """End what takes too long on the connections of this worker: one timer instead of one per request."""
        self.loop.call_later(SWEEP_S, self.sweep)
        now_s = self.loop.time()
        for connection in [one for one in self.connections if isinstance(one, LimitedProtocol) and one.until_s < now_s]:
            connection.until_s = now_s + CLOSE_S
            if connection.transport.is_closing():
                connection.transport.abort()
            else:
                connection.time_out()

    def time_out(self) -> None:
        """End an idle connection, or one whose request has not arrived in time."""
        if self.receiving and "path" not in self.scope and not self.awaits_response():
            self.refuse(Rejected(408, "the head of the request did not arrive in time"))
        else:  # idle, or a body that does not come although the application has responded
            self.transport.close()

    def awaits_response(self) -> bool:
        """Whether a request that was received before the one being parsed is not answered yet."""
        in_body = self.receiving and "path" in self.scope  # then `cycle` belongs to the request being parsed
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete and not in_body)

    # Bytes

    def data_received(self, data: bytes) -> None:
        """Parse bytes of the client."""
        if self._broken:
            return
        self._progress = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._ignored:
                self._parse_without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self.refuse(cause if isinstance(cause, Rejected) else error_from(error, "parsing a request"))
            return
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.refuse(Rejected(400, "Invalid HTTP request received."))
            return
        if not self.receiving or self._progress:
            self._stray_bytes = 0
        else:
            self._limit_stray_bytes(len(data))

    def _limit_stray_bytes(self, size: int) -> None:
        """End a connection that keeps sending bytes which belong to no body: heads, trailers, extensions of chunks.

        A head that arrives whole in one read, of up to 256 KiB, passes: there is nothing left to protect by then.
        """
        answered = "path" in self.scope and self.cycle.response_complete
        self._stray_bytes += size
        if self._stray_bytes > (MAX_UNREAD_BYTES if answered else MAX_HEAD_BYTES):
            self.refuse(Rejected(431, f"the head of the request is over {MAX_HEAD_BYTES} bytes"))

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

    def refuse(self, error: ScorerError) -> None:
        """Answer what never became a whole request, and close; requests before it are answered first, and it is not."""
        if self.transport.is_closing():
            return
        if self.awaits_response():
            self._broken = True
            self.flow.pause_reading()
            return
        begun = (
            self.receiving and "path" in self.scope and (self.cycle.response_started or self.cycle.response_complete)
        )
        if not begun:
            path = getattr(self, "url", b"").partition(b"?")[0].decode("latin-1")  # none where nothing was parsed yet
            scope: Scope = {"path": path}
            if self.scope is not None and "path" in self.scope:  # else the head is not whole
                scope["headers"] = self.headers
            response = error_response(scope, error, [(b"connection", b"close")])
            lines = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
            self.transport.write(STATUS_LINE[error.status] + lines + b"\r\n" + bytes(response.body))
        self.transport.close()

    # Requests

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._ignored = False
        self.receiving = True
        if not self._refused:
            self.until_s = self.loop.time() + self.limits.timeout_s + SWEEP_S  # the application's own 504 comes first

    def on_headers_complete(self) -> None:
        """Choose the path of the request, unless it is dropped or parsed again."""
        offers_upgrade = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        # The parser takes a request that offers an upgrade to have no body; on a closing connection nobody reads.
        self._ignored = offers_upgrade or self.transport.is_closing()
        if not self._ignored:
            self.choose_path()

    def choose_path(self) -> None:
        """Start the ASGI application."""
        if not self.url.startswith((b"/", b"*")):
            self.url = with_path(self.url)
            self.headers[:] = [header for header in self.headers if header[0] != b"host"]
            self.headers.append((b"host", host_in(self.url)))  # by RFC 9112 the header is ignored
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if not self._ignored:
            self._progress = not self.cycle.response_complete
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        if self._ignored:
            return
        self._progress = True
        self.receiving = False
        self.until_s = NEVER_S  # the ASGI application has deadlines of its own
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
        in_body = self.receiving and "path" in self.scope
        if self._broken and len(self.pipeline) <= in_body:  # only what cannot be parsed is left
            self.transport.close()
            return
        if not (self.flow.write_paused or self._broken):
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
        if not (self.pipeline or self._broken):
            self.flow.resume_reading()
