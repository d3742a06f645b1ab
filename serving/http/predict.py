"""`POST /predict` over HTTP: what it does, and its way as an ASGI middleware in front of BentoML's routes.

Owns the route. BentoML's own route defines and documents it, but would parse, validate and encode once more. Leaves to
others: the way that most requests take (`serving.http.protocol`), reading a body (`serving.http.body`), scoring
(`serving.batching`), how a request ends in an error (`serving.error_responses`), and the responses of every other route
(`serving.http.responses`).
"""

import asyncio
from codecs import BOM_UTF8
from collections.abc import Awaitable, Sequence
from http import HTTPStatus
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec
from bentoml.exceptions import BentoMLException
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import Rejected, ScorerError
from models.request import ENVELOPE, RequestDecoder
from serving.batching import OVERLOADED, Batcher
from serving.calls import Call, call_of, caller_of
from serving.error_responses import client_closed_response, error_response
from serving.faults import TOOK_TOO_LONG, error_from
from serving.http.body import ClientGone, read_body
from serving.http.connection_settings import ConnectionSettings
from serving.http.deadlines import Deadlines
from serving.http.endpoint import JSON, Encoded, Submitted
from serving.http.responses import ResponseShaper, error_of_status
from serving.metrics import metrics
from serving.rows import Receiver, Results, first_error

PREDICT = "/predict"
encode = msgspec.json.Encoder().encode


class PredictEndpoint:
    """Has the applicants of a body scored.

    Args:
        decoder: makes rows of a body.
        batcher: scores them.
    """

    def __init__(self, decoder: RequestDecoder, batcher: Batcher) -> None:
        self.decoder = decoder
        self._batcher = batcher

    @property
    def full(self) -> bool:
        """Whether a request would be refused whatever its body is."""
        return self._batcher.full

    def submit(self, body: bytes, scope: Scope, receiver: Receiver) -> Submitted | ScorerError:
        """Decode, validate and submit; returns or raises the error that refuses the request."""
        if self._batcher.full:
            return OVERLOADED  # before the body costs the work of decoding it
        if rate := caller_of(scope).rows:
            rate.spend(0)
        try:
            rows = self.decoder.decode(body)
        except Rejected:
            if not body.startswith(BOM_UTF8):
                raise
            rows = self.decoder.decode(body[len(BOM_UTF8) :])  # only here, so that no other body is looked at twice
        if rate:
            rate.spend(len(rows))
        self._batcher.submit_to(receiver, rows, call_of(scope, "http"))
        return SUBMITTED

    def count_response(self, status: int) -> None:
        """Count one response."""
        metrics().answered(status)


def _answer(results: Results) -> Encoded:
    return JSON, encode(results)


SUBMITTED = Submitted(_answer)


class RoutedRow(Struct, frozen=True):
    """A valid applicant on the way through BentoML's route, which mixes the rows of several requests.

    Attributes:
        call: its request.
        applicant: a row of the schema, which comes out as its JSON.
    """

    call: Call
    applicant: Any


async def answer_routed(routed: Sequence[Any], decoder: RequestDecoder, batcher: Batcher) -> list[Any]:
    """A prediction for each row that BentoML's route has gathered, in order; raises `BentoMLException`."""
    rows = msgspec.convert(routed, list[RoutedRow])
    waiting = []
    for call, group in groupby(rows, key=attrgetter("call")):
        waiting.append(batcher.submit(decoder.convert([row.applicant for row in group]), call))
    results = [result for part in await asyncio.gather(*waiting) for result in part]
    if error := first_error(results):
        raise BentoMLException(error.message, error_code=HTTPStatus(error.status))
    return [msgspec.to_builtins(prediction) for prediction in results]


class PredictMiddleware:
    """Answers `POST /predict`, and passes every other request on.

    Args:
        app: BentoML's application.
        endpoint: has rows scored.
        connections: the limits, which hold here too; applied when the application starts.
        ask_route: whether valid rows go through BentoML's route and dispatcher instead of straight to the batcher.
    """

    def __init__(
        self, app: ASGIApp, endpoint: PredictEndpoint, connections: ConnectionSettings, ask_route: bool
    ) -> None:
        self._app = app
        self._endpoint = endpoint
        self._connections = connections
        self._deadlines = Deadlines(connections.limits.timeout_s)
        self._must_ask_route = ask_route

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                self._connections.apply(scope["app"])
            return self._app(scope, receive, send)
        if scope["path"] == PREDICT and scope["method"] == "POST":
            return self._predict(scope, receive, send)
        return self._app(scope, receive, ResponseShaper(scope, receive, send))

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: bytes | ScorerError
        request = self._deadlines.enter()
        try:
            answer = await self._answer(scope, receive)
        except ClientGone:
            await client_closed_response()(scope, receive, send)
            return
        except asyncio.CancelledError:
            if not self._deadlines.leave(request):
                raise
            answer = Rejected(504, TOOK_TOO_LONG)
        except Exception as exception:  # noqa: BLE001 - logged there
            answer = error_from(exception, "answering POST /predict")
        finally:
            self._deadlines.leave(request)
        if isinstance(answer, ScorerError):
            self._endpoint.count_response(answer.status)
            await error_response(scope, answer)(scope, receive, send)
            return
        self._endpoint.count_response(HTTPStatus.OK)
        headers = [*JSON, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, scope: Scope, receive: Receive) -> bytes | ScorerError:
        """The predictions as JSON, or the error; raises as `read_body` and the decoder do."""
        body = await read_body(scope, receive, self._connections.max_body_bytes)
        if self._must_ask_route:
            if self._endpoint.full:
                return OVERLOADED
            rows = self._endpoint.decoder.decode(body.removeprefix(BOM_UTF8))
            if rate := caller_of(scope).rows:
                rate.spend(len(rows))
            call = call_of(scope, "http")
            return await self._ask_route(scope, receive, encode({ENVELOPE: [RoutedRow(call, row) for row in rows]}))
        waiting: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
        submitted = self._endpoint.submit(body, scope, waiting)
        if isinstance(submitted, ScorerError):
            return submitted
        results = await waiting
        return first_error(results) or submitted.encode(results)[1]

    async def _ask_route(self, scope: Scope, receive: Receive, body: bytes) -> bytes | ScorerError:
        """The answer of BentoML's route to a body that has been validated."""
        unread, answer = [body], bytearray()
        status = 0

        async def replay() -> Message:
            return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

        async def collect(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))

        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self._app({**scope, "headers": headers}, replay, collect)
        return bytes(answer) if status == HTTPStatus.OK else error_of_status(scope, status)
