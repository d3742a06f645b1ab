"""The fast path: requests to the routes that carry load, answered in the connection.

Owns which requests may take it, and their exchange. Leaves access, decoding, scoring, encoding and errors to the
functions that the ASGI way calls too, limits and deadlines to `serving.http.connection`, and every request that is not
plain to the ASGI application.

    bytes ─► uvicorn's parser ─► begin_response ── anything else ──► uvicorn's cycle ─► the ASGI application
                                    │ POST to an endpoint, of known length, one at a time, access granted
                                    ▼
                                 complete_request ─► Endpoint.submit ─► Batcher ─► one write

uvicorn's cycle makes a task, an event, two writes and a walk through every middleware per request: three quarters of
the time of a small one. There is no public way around it, so the class is registered under the name that uvicorn looks
up. `register` leaves uvicorn alone where its protocol has changed; `tests/serving/http/test_protocol.py` fails then.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import uvicorn.config
from msgspec import Struct
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from models.errors import Rejected, ScorerError
from serving.access.middleware import AccessPolicy
from serving.error_responses import error_response
from serving.faults import TOOK_TOO_LONG, error_from
from serving.http.body import headers_of
from serving.http.connection import LimitedProtocol, Limits
from serving.http.endpoint import Answer, Endpoint, Submitted
from serving.request_ids import HEADER, begin, end
from serving.rows import first_error

FORWARDED = (
    b"x-forwarded-for",
    b"x-forwarded-proto",
)  # from which uvicorn takes the client's address, on the ASGI path
USED = ("_should_upgrade", "_start_asgi_task", "handle_websocket_upgrade", "on_body", "on_headers_complete", "shutdown")
logger = logging.getLogger("bentoml.scorer")


class FastPath(Struct, frozen=True):
    """What the connections of a worker need.

    Attributes:
        endpoints: by the bytes of their path; none sends every request the ASGI path.
        access: decides who may call.
        max_body_bytes: the largest body.
        limits: of every connection.
    """

    endpoints: Mapping[bytes, Endpoint]
    access: AccessPolicy
    max_body_bytes: int
    limits: Limits

    def open(self, app: Starlette) -> None:
        """Use it from here on; where `app` has CORS, its middleware has to see every request."""
        cors = any("CORSMiddleware" in repr(middleware.cls) for middleware in app.user_middleware)
        ScorerProtocol.limits = self.limits
        ScorerProtocol.way = self
        ScorerProtocol.endpoints = {} if cors else self.endpoints


class _NoEvent:
    """Stands for the event of uvicorn's cycle, which wakes a task: here is none."""

    def set(self) -> None:
        """Do nothing."""


class _Exchange:
    """One request and its response, where uvicorn has its cycle."""

    __slots__ = ("body", "disconnected", "endpoint", "keep_alive", "request_id", "response_complete", "scope")
    message_event = _NoEvent()
    response_started = False

    def __init__(self, endpoint: Endpoint, scope: Any, request_id: bytes | None, keep_alive: bool) -> None:
        self.endpoint, self.scope, self.request_id = endpoint, scope, request_id
        self.keep_alive = keep_alive  # cleared by uvicorn when the server shuts down
        self.body = bytearray()
        self.disconnected = self.response_complete = False


class ScorerProtocol(LimitedProtocol):
    """One connection, with the fast path."""

    way: ClassVar[FastPath]
    endpoints: ClassVar[Mapping[bytes, Endpoint]] = {}
    _common: ClassVar[tuple[Any, bytes]] = (
        None,
        b"",
    )  # uvicorn's default headers, made every second, and as bytes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        self._submitted: Submitted | None = None
        super().connection_made(transport)

    def begin_response(self) -> None:
        """Choose the way."""
        endpoint = self.endpoints.get(self.url)
        exchange = None if endpoint is None else self._exchange(endpoint)
        if exchange is None:
            super().begin_response()
        else:
            self.cycle = exchange

    def _exchange(self, endpoint: Endpoint) -> _Exchange | None:
        """The request on the fast path; None where ASGI handles it."""
        if (self.cycle is not None and not self.cycle.response_complete) or self.flow.write_paused:
            return None  # others of this connection come first
        parser, way = self.parser, self.way
        if parser.get_method() != b"POST" or self.expect_100_continue or parser.get_http_version() != "1.1":
            return None
        scope: Any = self.scope
        headers = headers_of(scope)
        length = headers.get(b"content-length")
        if length is None or int(length) > way.max_body_bytes or b"content-encoding" in headers:
            return None
        if way.access.local_only and any(name in headers for name in FORWARDED):
            return None
        scope["method"], scope["path"] = "POST", self.url.decode("ascii")
        try:
            way.access.authorize(scope, headers)
        except Rejected:
            return None  # which the ASGI path answers
        request_id = begin(scope, headers.get(HEADER))
        end()
        return _Exchange(endpoint, scope, request_id, parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if type(self.cycle) is _Exchange:
            self.cycle.body += body
        else:
            super().on_body(body)

    def complete_request(self) -> None:
        """Submit the request."""
        exchange = self.cycle
        if type(exchange) is not _Exchange:
            super().complete_request()
            return
        if exchange.response_complete:  # it took too long
            return
        scope = exchange.scope
        begin(scope, exchange.request_id)
        try:
            submitted = exchange.endpoint.submit(bytes(exchange.body), headers_of(scope))
        except Exception as exception:  # noqa: BLE001 - logged there
            submitted = error_from(exception, f"answering {scope['method']} {scope['path']}")
        end()
        exchange.body.clear()
        if isinstance(submitted, ScorerError):
            self._finish(exchange, submitted)
        elif submitted.results.done():
            self._answer(exchange, submitted, submitted.results)
        else:
            self._submitted = submitted
            submitted.results.add_done_callback(partial(self._answer, exchange, submitted))
            if submitted.limit_s is not None:
                self.loop.call_later(submitted.limit_s, submitted.results.cancel)

    def _answer(self, exchange: _Exchange, submitted: Submitted, results: "asyncio.Future[Any]") -> None:
        self._submitted = None
        if self.transport.is_closing():
            return
        if results.cancelled():
            self._finish(exchange, Rejected(504, TOOK_TOO_LONG))
        else:
            self._finish(exchange, first_error(results.result()) or submitted.encode(results.result()))

    def _finish(self, exchange: _Exchange, answer: Answer | ScorerError) -> None:
        """Write the whole response at once."""
        if isinstance(answer, ScorerError):
            response = error_response(exchange.scope, answer)
            status, body = answer.status, bytes(response.body)
            parts = [b"%b: %b\r\n" % header for header in response.raw_headers]
        else:
            status, (headers, body) = 200, answer
            parts = [*(b"%b: %b\r\n" % header for header in headers), b"content-length: %d\r\n" % len(body)]
        exchange.endpoint.answered(status)
        if exchange.request_id is not None:
            parts.append(b"x-request-id: %b\r\n" % exchange.request_id)
        if not exchange.keep_alive:
            parts.append(b"connection: close\r\n")
        self.transport.write(b"".join((STATUS_LINE[status], self._common_headers(), *parts, b"\r\n", body)))
        exchange.response_complete = True
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _common_headers(self) -> bytes:
        headers = self.server_state.default_headers
        if self._common[0] is not headers:
            ScorerProtocol._common = (headers, b"".join(b"%b: %b\r\n" % header for header in headers))
        return self._common[1]

    def time_out(self) -> None:
        """End a request on the fast path whose body has not arrived in time, or what else takes too long."""
        if type(self.cycle) is _Exchange and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            self._finish(self.cycle, Rejected(504, TOOK_TOO_LONG))
        else:
            super().time_out()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the rows of a client that has gone out of the queue."""
        super().connection_lost(exc)
        if self._submitted is not None:
            self._submitted.results.cancel()


def register() -> bool:
    """Have uvicorn use `ScorerProtocol` from here on; returns False, and logs it, where its protocol has changed."""
    if not all(callable(getattr(HttpToolsProtocol, name, None)) for name in USED):
        logger.warning("uvicorn's HTTP protocol has changed: no fast path, no limits on heads and on slow requests")
        return False
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{ScorerProtocol.__name__}"
    return True
