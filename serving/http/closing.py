"""Connections that are closed for the sake of others: of new ones where there are too many, and of the end of a worker.

Owns what a connection does then. Leaves to others: which one is closed (`serving.http.crowding`), how many there may be
(`serving.http.descriptors`), when a worker ends (`serving.shutdown`), and deadlines (`serving.http.connection`).
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self, cast
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import ScorerError, Unready
from serving.housekeeping import Census
from serving.http.connection import CLOSE_S, LimitedProtocol
from serving.http.crowding import Crowd, Rank
from serving.http.descriptors import TOO_MANY, Descriptors

ADDRESS_SHARE = 0.75  # of the descriptors that one address may have, so that there are always some for the others
LEAST_WAIT = 0.1  # of `idle_s` that a connection that was used before may stay, and of `timeout_s` a body on its way
FLUSH_S = 1.0  # for a client to read its refusal, or the end of its response, when the worker ends
CANCEL_S = 0.2  # seconds for an application to notice that its client is gone
SHUTTING_DOWN = "the service is shutting down; try again"
logger = logging.getLogger("bentoml.scorer")


class ClosableProtocol(LimitedProtocol):
    """One connection."""

    descriptors: ClassVar[Descriptors] = Descriptors()
    crowd: ClassVar[Crowd] = Crowd()
    _server: ClassVar[Any] = None  # uvicorn's state: the connections and the tasks of this worker
    _so_far: ClassVar[int] = 0  # connections of this worker

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        ClosableProtocol._server = self.server_state
        ClosableProtocol._so_far += 1
        self._arriving = True
        refusal = self._find_place(transport)
        self._arriving = False
        self._refused = refusal is not None
        if refusal:
            # Of this connection alone, so that requests of the others do not ask.
            self.choose_path = partial(self._refuse_connection, refusal)  # type: ignore[method-assign]
            self.until_s = self.loop.time() + CLOSE_S

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

    def sweep(self) -> None:
        """Look at the descriptors too: where they are used up, nobody comes for whom another one would give way."""
        if self.descriptors.used_up:
            self.crowd.make_room(cast("set[Self]", self.connections), self.loop.time())
        super().sweep()

    def rank(self, now_s: float) -> Rank | None:
        """How soon this connection gives way to a new one; None while it has a request that is being answered."""
        if self._arriving or self.transport.is_closing() or self.awaits_response():
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

    def _refuse_connection(self, refusal: ScorerError) -> None:
        self._ignored = True
        self.refuse(refusal)

    @classmethod
    def census(cls) -> Census:
        """Count the connections of this worker."""
        return Census(cls._so_far, len(cls._server.connections) if cls._server else 0)

    # Shutdown

    @classmethod
    def end_all_in(cls, seconds: float) -> None:
        """End every connection after `seconds`, whatever it is doing, and drop what its client has not read then."""
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, cls._end_all, lambda connection: connection.end())
        loop.call_later(seconds + FLUSH_S, cls._end_all, lambda connection: connection.abort())
        loop.call_later(seconds + FLUSH_S + CANCEL_S, cls._cancel_all)

    @classmethod
    def _end_all(cls, end: Callable[["ClosableProtocol"], None]) -> None:
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


async def _until_cancelled(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application; cancelling it at the end of a worker is nothing to log."""
    try:
        await app(scope, receive, send)
    except asyncio.CancelledError:
        logger.info("dropped %s %s at the end of the grace", scope["method"], quote(scope["path"]))
