"""Real uvicorn servers in a thread, with real endpoints and middleware; only the model is simpler than a graph."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models.prediction import Prediction
from models.request import RequestDecoder
from models.schema import Schema
from serving.access.authenticator import Authenticator
from serving.access.middleware import AccessMiddleware, AccessPolicy
from serving.batching import Batcher
from serving.http.connection import Limits
from serving.http.connection_settings import ConnectionSettings
from serving.http.predict import PredictEndpoint, PredictMiddleware
from serving.http.protocol import ScorerProtocol
from serving.rows import PendingRow

MAX_BODY_BYTES = 100_000
ACCESS = AccessPolicy(Authenticator(None), open_to_network=False, allowed_hosts=["scorer.bank"])


def score_batch(rows: Sequence[PendingRow]) -> list[Prediction]:
    """A prediction that depends on nothing but the applicant."""
    return [Prediction(row.applicant.application_id, 0.25, "decline", "m:1") for row in rows]  # type: ignore[attr-defined]


async def echo(request: Request) -> JSONResponse:
    """A route beside the endpoints."""
    try:
        body = await request.body()
    except ClientDisconnect:
        body = b""
    return JSONResponse({"method": request.method, "body": len(body)})


class Unapplied(ConnectionSettings, frozen=True):
    """Leaves the connections to uvicorn."""

    def apply(self, app: Starlette) -> None:
        """Do nothing."""


class Stand:
    """Servers on one event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[tuple[uvicorn.Server, Any]] = []

    def start(
        self,
        schema: Schema,
        protocol: type[HttpToolsProtocol],
        limits: Limits,
        score: Any = score_batch,
        access: AccessPolicy = ACCESS,
    ) -> int:
        """Start a server; gives its port. `ScorerProtocol` has the fast path, any other class has not."""
        batcher = Batcher(64, 10_000, 10.0)
        batcher.open(score)
        endpoint = PredictEndpoint(RequestDecoder(schema, 100), batcher)
        connections = (ConnectionSettings if issubclass(protocol, ScorerProtocol) else Unapplied)(
            {b"/predict": endpoint}, access, MAX_BODY_BYTES, limits
        )
        app = Starlette(
            routes=[Route("/other", echo, methods=["GET", "POST"])],
            middleware=[
                Middleware(AccessMiddleware, policy=access),
                Middleware(PredictMiddleware, endpoint=endpoint, connections=connections, ask_route=False),
            ],
        )
        config = uvicorn.Config(app, host="127.0.0.1", port=0, http=protocol, loop="none", log_config=None)
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment] # they are pytest's
        task = asyncio.run_coroutine_threadsafe(server.serve(), self.loop)
        self._servers.append((server, task))
        while not server.started:
            if task.done():
                task.result()
        return int(server.servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Stop all, which waits for open connections."""
        for server, _ in self._servers:
            server.should_exit = True
        for _, task in self._servers:
            task.result(timeout=20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=20)
        self.loop.close()
