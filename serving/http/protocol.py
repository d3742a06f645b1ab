"""The fast path: requests to the routes that carry load, answered in the connection.

Owns which requests may take it, and their exchange. Leaves to others: access, decoding, scoring, encoding and errors,
by the functions that the ASGI application calls too; limits and deadlines of connections (`serving.http.connection`);
and to the ASGI application every request that is unusual.

    bytes ─► uvicorn's parser ─► choose_path ── anything else ──► uvicorn's cycle ─► the ASGI application
      │ the head was parsed before  │ POST to an endpoint, of known length, one at a time, access granted
      ▼                             ▼
    _begin_known ─────────────► _submit ─► Endpoint.submit ─► Batcher ─► one write

uvicorn's cycle makes a task, an event, two writes and a walk through every middleware per request: three quarters of
the time of a small one. There is no public way around it, so the class is registered under the name that uvicorn looks
up (`serving.http.connection_settings`).
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from models.errors import Rejected, ScorerError, Unready
from serving import request_ids
from serving.access.middleware import AccessPolicy
from serving.faults import TOOK_TOO_LONG, error_from
from serving.http.body import headers_of
from serving.http.closing import SHUTTING_DOWN, ClosableProtocol
from serving.http.endpoint import Encoded, Endpoint, Submitted
from serving.http.exchange import Exchange, response_bytes
from serving.http.known_heads import END, MAX_BYTES, KnownHead, KnownHeads
from serving.rows import Results, first_error


class ScorerProtocol(ClosableProtocol):
    """One connection, with the fast path."""

    # Set before the server listens (connection_settings).
    access: ClassVar[AccessPolicy]
    endpoints: ClassVar[Mapping[bytes, Endpoint]] = {}  # of the fast path, by the bytes of their URL path
    max_body_bytes: ClassVar[int]
    heads: ClassVar[KnownHeads]
    # uvicorn's default headers (the date), a new list every second, and the same as bytes.
    _common: ClassVar[tuple[Any, bytes]] = (None, b"")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        self._head = b""  # of the request that is parsed next, where a read begins with all of it
        self._admitted = False  # whether a request of this connection was
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Answer a request whose head is known and that comes in one read; parse everything else."""
        self._head = b""
        if self._is_free():
            self._head = data[: data.find(END, 0, MAX_BYTES) + len(END)]
            known = self.heads.get(self._head)
            if known and len(data) == len(self._head) + known.body_bytes and self._begin_known(known, data):
                return
        super().data_received(data)

    def _is_free(self) -> bool:
        """Whether every request so far is answered, and the next may be."""
        if self.receiving or self._refused or self._broken or self.flow.write_paused or self.transport.is_closing():
            return False
        return self.cycle is None or self.cycle.response_complete

    def _begin_known(self, known: KnownHead, data: bytes) -> bool:
        """Answer a request with a known head; False if the ASGI application has to refuse it."""
        scope, access = known.scope_of(self), self.access
        if access.requires_keys or not self._admitted:  # else what was decided for this head holds, its caller too
            try:
                access.authorize(scope, headers_of(scope))
            except Rejected:
                return False
            self._admitted = True
        self.url, self.scope, self.headers, self.expect_100_continue = known.url, scope, scope["headers"], False
        self.cycle = Exchange(known.endpoint, scope, None, keep_alive=True)
        self._submit(self.cycle, data[len(self._head) :])
        return True

    def choose_path(self) -> None:
        """Begin an exchange, or start the ASGI application."""
        head, self._head = self._head, b""
        endpoint = self.endpoints.get(self.url)
        exchange = None if endpoint is None else self._exchange(endpoint, head)
        if exchange is None:
            super().choose_path()
        else:
            self.cycle = exchange

    def _exchange(self, endpoint: Endpoint, head: bytes) -> Exchange | None:
        """The exchange of a request on the fast path; None if the ASGI application handles it."""
        if (self.cycle is not None and not self.cycle.response_complete) or self.flow.write_paused:
            return None  # earlier responses of this connection come first
        parser = self.parser
        if parser.get_method() != b"POST" or self.expect_100_continue or parser.get_http_version() != "1.1":
            return None
        scope: Any = self.scope
        headers = headers_of(scope)
        length = headers.get(b"content-length")
        if length is None or int(length) > self.max_body_bytes or b"content-encoding" in headers:
            return None
        scope["method"], scope["path"] = "POST", self.url.decode("ascii")
        try:
            self.access.authorize(scope, headers)
        except Rejected:
            return None  # the ASGI application answers with the refusal
        self._admitted = True
        keep_alive = parser.should_keep_alive()
        if head and keep_alive:
            self.heads.remember(head, endpoint, self.url, scope)
        request_id = request_ids.begin(scope, headers.get(request_ids.HEADER))
        request_ids.end()
        return Exchange(endpoint, scope, request_id, keep_alive)

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
        if not exchange.response_complete:  # else it took too long to arrive
            self._submit(exchange, bytes(exchange.body))
            exchange.body.clear()

    def _submit(self, exchange: Exchange, body: bytes) -> None:
        """Submit a whole request."""
        self.until_s = self.loop.time() + self.limits.timeout_s
        scope = exchange.scope
        request_ids.begin(scope, exchange.request_id)
        try:
            submitted = exchange.endpoint.submit(body, scope, exchange)
        except Exception as exception:  # noqa: BLE001 - logged there
            submitted = error_from(exception, f"answering POST {scope['path']}")
        request_ids.end()
        if isinstance(submitted, ScorerError):
            self._respond(exchange, submitted)
            return
        timer = None if submitted.limit_s is None else self.loop.call_later(submitted.limit_s, self._give_up, exchange)
        if exchange.results is not None:
            self._answer(exchange, submitted, timer, exchange.results)
        else:
            exchange.answer = partial(self._answer, exchange, submitted, timer)

    def _give_up(self, exchange: Exchange) -> None:
        """Answer a request whose caller said how long it would wait."""
        exchange.cancel()
        if not (self.transport.is_closing() or exchange.response_complete):
            self._respond(exchange, Rejected(504, TOOK_TOO_LONG))

    def _answer(
        self, exchange: Exchange, submitted: Submitted, timer: asyncio.TimerHandle | None, results: Results
    ) -> None:
        if timer is not None:
            timer.cancel()
        if self.transport.is_closing() or exchange.response_complete:
            return
        try:
            response = first_error(results) or submitted.encode(results)
        except Exception as exception:  # noqa: BLE001 - logged there
            response = error_from(exception, f"encoding the response of POST {exchange.scope['path']}")
        self._respond(exchange, response)

    def _respond(self, exchange: Exchange, response: Encoded | ScorerError) -> None:
        """Write the whole response at once."""
        self.transport.write(response_bytes(exchange, response, self._common_headers()))
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
        self.cycle.cancel()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the rows of a client that has gone out of the queue."""
        super().connection_lost(exc)
        if type(self.cycle) is Exchange:
            self.cycle.cancel()
