"""The connection: uvicorn's HTTP protocol with the limits that it lacks.

Owns the limit on a head, the time in which a request must arrive and for which a connection may be idle, and offers of
an upgrade, which are declined. Leaves to others: the number of connections (`serving.http.descriptors`). Uses private
parts of uvicorn, as `serving.http.protocol` does: there is no public way to limit heads with httptools, nor to give
requests a deadline. `tests/serving/http/test_protocol.py` fails when these parts change.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self, cast
from urllib.parse import quote

import httptools
from msgspec import Struct
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from models.errors import Rejected, ScorerError, Unready
from serving.error_responses import error_response
from serving.faults import error_from
from serving.http.crowding import Crowd, Rank
from serving.http.descriptors import TOO_MANY, Descriptors
from serving.http.request_target import host_in, with_path

MAX_HEAD_BYTES = 65_536  # the limit of uvicorn with h11; nginx has 32 KiB, browsers send some 2
MAX_UNREAD_BYTES = 16 << 20  # of a body whose response is already sent; the client may read that before the end
SWEEP_S = 1.0  # seconds between two checks of the deadlines of all connections
CLOSE_S = 5.0  # seconds for a client to read what a closed connection still has for it
NOT_REPEATED = (b"upgrade", b"http2-settings", b"connection")
ADDRESS_SHARE = 0.75  # of the descriptors that one address may have, so that there are always some for the others
LEAST_WAIT = 0.1  # of `idle_s` that a connection that was used before may stay, and of `timeout_s` a body on its way
FLUSH_S = 1.0  # for a client to read its refusal, or the end of its response, when the worker ends
CANCEL_S = 0.2  # seconds for an application to notice that its client is gone
SHUTTING_DOWN = "the service is shutting down; try again"
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
    descriptors: ClassVar[Descriptors] = Descriptors()
    crowd: ClassVar[Crowd] = Crowd()
    _server: ClassVar[Any] = None  # uvicorn's state: the connections and the tasks of this worker
    _swept: ClassVar[asyncio.AbstractEventLoop | None] = None  # the loop that has the timer
    cycle: Any  # of the newest request: uvicorn's, or what stands for it
    scope: Any  # of the newest request; has a path once its head is whole

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        LimitedProtocol._server = self.server_state
        self._stray_bytes = 0
        self._progress = False  # whether the bytes just read belonged to a body or ended a request
        self._ignored = False  # whether the request being parsed is dropped
        self._broken = False  # whether what follows the requests received so far cannot be parsed
        self.wait_for_request()
        self._arriving = True
        refusal = self._find_place(transport)
        self._arriving = False
        self._refused = refusal is not None
        if refusal:
            # Of this connection alone, so that requests of the others do not ask.
            self.choose_path = partial(self._refuse_connection, refusal)  # type: ignore[method-assign]
            self.until_s = self.loop.time() + CLOSE_S
        if LimitedProtocol._swept is not self.loop:
            LimitedProtocol._swept = self.loop
            self.loop.call_later(SWEEP_S, self._sweep)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self.crowd.leave(self, self._address)
        super().connection_lost(exc)

    # Crowding

    def _find_place(self, transport: asyncio.Transport) -> ScorerError | None:
        """Have other connections give way if there are too many; the refusal of this one if none can."""
        now_s = self.loop.time()
        self._address = self.client[0] if self.client else ""
        limit = self.limits.per_address or self.descriptors.share(ADDRESS_SHARE)
        if not self.crowd.enter(self, self._address, limit, now_s):
            return self.descriptors.refuse(len(self.connections), f"its address has {limit:.0f} connections already")
        if self.descriptors.suffice_for(transport) or self.crowd.make_room(cast("set[Self]", self.connections), now_s):
            return None
        return self.descriptors.refuse(len(self.connections))

    def rank(self, now_s: float) -> Rank | None:
        """How soon this connection gives way to a new one; None while it has a request that is being answered."""
        if self._arriving or self.transport.is_closing() or self._awaits_response():
            return None
        if not self.receiving:
            if self.scope is None:  # there was no request yet
                return 1, self.until_s
            return (2, self.until_s) if now_s > self.until_s - self.limits.idle_s * (1 - LEAST_WAIT) else None
        if "path" not in self.scope:
            return 0, self.until_s
        return (3, self.until_s) if now_s > self.until_s - self.limits.timeout_s * (1 - LEAST_WAIT) else None

    def give_way(self) -> None:
        """Close for the sake of a new connection."""
        self.until_s = self.loop.time() + CLOSE_S
        if self.receiving:
            self.refuse(Unready(TOO_MANY))
        else:
            self.transport.close()

    # Deadlines

    def wait_for_request(self) -> None:
        """Begin to be idle."""
        self.receiving = False
        self.until_s = self.loop.time() + self.limits.idle_s

    def _sweep(self) -> None:
        """End what takes too long on the connections of this worker: one timer instead of one per request."""
        self.loop.call_later(SWEEP_S, self._sweep)
        now_s = self.loop.time()
        if self.descriptors.used_up:  # then nobody comes for whom another one would give way
            self.crowd.make_room(cast("set[Self]", self.connections), now_s)
        for connection in [one for one in self.connections if isinstance(one, LimitedProtocol) and one.until_s < now_s]:
            connection.until_s = now_s + CLOSE_S
            if connection.transport.is_closing():
                connection.transport.abort()
            else:
                connection.time_out()

    def time_out(self) -> None:
        """End an idle connection, or one whose request has not arrived in time."""
        if self.receiving and "path" not in self.scope and not self._awaits_response():
            self.refuse(Rejected(408, "the head of the request did not arrive in time"))
        else:  # idle, or a body that does not come although the application has responded
            self.transport.close()

    def _awaits_response(self) -> bool:
        """Whether a request that was received before the one being parsed is not answered yet."""
        in_body = self.receiving and "path" in self.scope  # then `cycle` belongs to the request being parsed
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete and not in_body)

    # Shutdown

    @classmethod
    def end_all_in(cls, seconds: float) -> None:
        """End every connection after `seconds`, whatever it is doing, and drop what its client has not read then."""
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, cls._end_all, LimitedProtocol.end)
        loop.call_later(seconds + FLUSH_S, cls._end_all, LimitedProtocol.abort)
        loop.call_later(seconds + FLUSH_S + CANCEL_S, cls._cancel_all)

    @classmethod
    def _end_all(cls, end: Callable[["LimitedProtocol"], None]) -> None:
        for connection in list(cls._server.connections if cls._server else ()):
            end(connection)

    @classmethod
    def _cancel_all(cls) -> None:
        """End what goes on without a connection, such as an explanation."""
        for task in list(cls._server.tasks if cls._server else ()):
            task.cancel()

    def end(self) -> None:
        """Refuse what is not answered yet as far as it can be refused, and close."""
        self.refuse(Unready(SHUTTING_DOWN))
        self.transport.close()

    def abort(self) -> None:
        """End at once."""
        self.transport.abort()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        super()._start_asgi_task(cycle, partial(_until_cancelled, app))

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
        if self._awaits_response():
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

    def _refuse_connection(self, refusal: ScorerError) -> None:
        self._ignored = True
        self.refuse(refusal)

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


async def _until_cancelled(app: ASGIApp, scope: Any, receive: Any, send: Any) -> None:
    """Run the application; cancelling it at the end of a worker is nothing to log."""
    try:
        await app(scope, receive, send)
    except asyncio.CancelledError:
        logger.info("dropped %s %s at the end of the grace", scope["method"], quote(scope["path"]))
