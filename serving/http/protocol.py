"""The fast path: requests to the routes that carry load, answered in the connection.

Owns which requests may take it, and their exchange. Leaves to others: access, decoding, scoring, encoding and errors,
by the functions that the ASGI application calls too; limits and deadlines of connections (`serving.http.connection`);
and to the ASGI application every request that is unusual.

    bytes ─► uvicorn's parser ─► choose_path ── anything else ──► uvicorn's cycle ─► the ASGI application
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

from configs.service import ServiceConfig
from models.errors import Rejected, ScorerError, Unready
from serving import request_ids
from serving.access.middleware import AccessPolicy
from serving.error_responses import error_response
from serving.faults import TOOK_TOO_LONG, error_from
from serving.http.bentoml_stack import seeing_every_request
from serving.http.body import headers_of
from serving.http.closing import SHUTTING_DOWN, ClosableProtocol
from serving.http.connection import Limits
from serving.http.endpoint import Encoded, Endpoint, Submitted
from serving.http.exchange import Exchange
from serving.rows import first_error

# The parts of uvicorn's protocol that this module and `serving.http.connection` override or call.
USED = (
    "_start_asgi_task connection_lost connection_made data_received on_body on_headers_complete on_message_begin "
    "on_message_complete on_response_complete pause_writing resume_writing shutdown"
)
logger = logging.getLogger("bentoml.scorer")


class ConnectionSettings(Struct, frozen=True):
    """What the connections of a worker need.

    Attributes:
        endpoints: of the fast path, by the bytes of their URL path; may be empty.
        access: decides who may call.
        max_body_bytes: the largest body.
        limits: of every connection.
    """

    endpoints: Mapping[bytes, Endpoint]
    access: AccessPolicy
    max_body_bytes: int
    limits: Limits

    def apply(self, app: Starlette) -> None:
        """Apply the settings to this worker; without a fast path if BentoML's stack must see every request."""
        app.router.redirect_slashes = False  # behind TLS, clients would follow to http:// with their bodies
        paths = [path.decode() for path in self.endpoints]
        seeing = seeing_every_request(app.user_middleware, paths[0], self.limits.timeout_s) if paths else []
        if seeing:
            logger.warning(
                "no fast path, as BentoML's configuration has %s: fewer requests per second", ", ".join(seeing)
            )
        ScorerProtocol.limits = self.limits
        ScorerProtocol.settings = self
        ScorerProtocol.endpoints = {} if seeing else self.endpoints


def connection_settings(
    settings: ServiceConfig, endpoints: Mapping[bytes, Endpoint], access: AccessPolicy
) -> ConnectionSettings:
    """What follows from the settings of the service."""
    limits = Limits(settings.timeout_s, settings.keep_alive_s, settings.max_connections_per_address)
    return ConnectionSettings(endpoints if settings.uses_fast_path else {}, access, settings.max_body_bytes, limits)


class ScorerProtocol(ClosableProtocol):
    """One connection, with the fast path."""

    settings: ClassVar[ConnectionSettings]
    endpoints: ClassVar[Mapping[bytes, Endpoint]] = {}
    # uvicorn's default headers (the date), a new list every second, and the same as bytes.
    _common: ClassVar[tuple[Any, bytes]] = (None, b"")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        self._pending: asyncio.Future[Any] | None = None  # results of an exchange
        super().connection_made(transport)

    def choose_path(self) -> None:
        """Begin an exchange, or start the ASGI application."""
        endpoint = self.endpoints.get(self.url)
        exchange = None if endpoint is None else self._exchange(endpoint)
        if exchange is None:
            super().choose_path()
        else:
            self.cycle = exchange

    def _exchange(self, endpoint: Endpoint) -> Exchange | None:
        """The exchange of a request on the fast path; None if the ASGI application handles it."""
        if (self.cycle is not None and not self.cycle.response_complete) or self.flow.write_paused:
            return None  # earlier responses of this connection come first
        parser, settings = self.parser, self.settings
        if parser.get_method() != b"POST" or self.expect_100_continue or parser.get_http_version() != "1.1":
            return None
        scope: Any = self.scope
        headers = headers_of(scope)
        length = headers.get(b"content-length")
        if length is None or int(length) > settings.max_body_bytes or b"content-encoding" in headers:
            return None
        scope["method"], scope["path"] = "POST", self.url.decode("ascii")
        try:
            settings.access.authorize(scope, headers)
        except Rejected:
            return None  # the ASGI application answers with the refusal
        request_id = request_ids.begin(scope, headers.get(request_ids.HEADER))
        request_ids.end()
        return Exchange(endpoint, scope, request_id, parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if type(self.cycle) is Exchange and not self._ignored:
            self._progress = True
            self.cycle.body += body
        else:
            super().on_body(body)

    def complete_request(self) -> None:
        """Submit the request."""
        exchange = self.cycle
        if type(exchange) is not Exchange:
            super().complete_request()
            return
        if exchange.response_complete:  # it took too long to arrive
            return
        self.until_s = self.loop.time() + self.limits.timeout_s
        scope = exchange.scope
        request_ids.begin(scope, exchange.request_id)
        try:
            submitted = exchange.endpoint.submit(bytes(exchange.body), scope)
        except Exception as exception:  # noqa: BLE001 - logged there
            submitted = error_from(exception, f"answering POST {scope['path']}")
        request_ids.end()
        exchange.body.clear()
        if isinstance(submitted, ScorerError):
            self._respond(exchange, submitted)
            return
        limit_s, results = submitted.limit_s, submitted.results
        timer = None if limit_s is None else self.loop.call_later(limit_s, results.cancel)
        if results.done():
            self._on_results(exchange, submitted, timer, results)
        else:
            self._pending = results
            results.add_done_callback(partial(self._on_results, exchange, submitted, timer))

    def _on_results(
        self,
        exchange: Exchange,
        submitted: Submitted,
        timer: asyncio.TimerHandle | None,
        results: "asyncio.Future[Any]",
    ) -> None:
        self._pending = None
        if timer is not None:
            timer.cancel()
        if self.transport.is_closing() or exchange.response_complete:
            return
        if results.cancelled():
            self._respond(exchange, Rejected(504, TOOK_TOO_LONG))
            return
        try:
            response = first_error(results.result()) or submitted.encode(results.result())
        except Exception as exception:  # noqa: BLE001 - logged there
            response = error_from(exception, f"encoding the response of POST {exchange.scope['path']}")
        self._respond(exchange, response)

    def _respond(self, exchange: Exchange, response: Encoded | ScorerError) -> None:
        """Write the whole response at once."""
        if isinstance(response, ScorerError):
            answer = error_response(exchange.scope, response)
            status, body = response.status, bytes(answer.body)
            lines = [b"%b: %b\r\n" % header for header in answer.raw_headers]
        else:
            status, (headers, body) = 200, response
            lines = [*(b"%b: %b\r\n" % header for header in headers), b"content-length: %d\r\n" % len(body)]
        exchange.endpoint.count_response(status)
        if exchange.request_id is not None:
            lines.append(b"x-request-id: %b\r\n" % exchange.request_id)
        if not exchange.keep_alive:
            lines.append(b"connection: close\r\n")
        self.transport.write(b"".join((STATUS_LINE[status], self._common_headers(), *lines, b"\r\n", body)))
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
        """End an exchange whose request does not arrive or whose response takes too long, or else the connection."""
        if not self._end_exchange(Rejected(504, TOOK_TOO_LONG)):
            super().time_out()

    def end(self) -> None:
        """Refuse what is not answered yet, and close."""
        if not self._end_exchange(Unready(SHUTTING_DOWN)):
            super().end()

    def _end_exchange(self, error: ScorerError) -> bool:
        """Answer an exchange that is not answered yet with an error, and close; whether there was one."""
        if type(self.cycle) is not Exchange or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        self._respond(self.cycle, error)
        if self._pending is not None:
            self._pending.cancel()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the rows of a client that has gone out of the queue."""
        super().connection_lost(exc)
        if self._pending is not None:
            self._pending.cancel()


def register() -> bool:
    """Have uvicorn use `ScorerProtocol` from here on; returns False, and logs it, where its protocol has changed."""
    if not all(callable(getattr(HttpToolsProtocol, name, None)) for name in USED.split()):
        logger.warning("uvicorn's HTTP protocol has changed: no fast path, no limits on heads and slow requests")
        return False
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{ScorerProtocol.__name__}"
    return True
