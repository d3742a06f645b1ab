"""`POST /predict` over HTTP: an ASGI middleware in front of BentoML's routes.

Owns the route. BentoML's own route defines and documents it, but would parse, validate and encode once more. Leaves to
others: reading a body (`serving.http.body`), scoring (`serving.batching`), how a request ends in an error
(`serving.error_responses`), and the responses of every other route (`serving.http.responses`).
"""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import Rejected, ScorerError
from models.request import RequestDecoder
from serving.batching import OVERLOADED, Batcher
from serving.error_responses import client_closed_response, error_response
from serving.faults import TOOK_TOO_LONG, error_from
from serving.http.body import ClientGone, read_body
from serving.http.deadlines import Deadlines
from serving.http.responses import ResponseShaper, error_of_status
from serving.metrics import metrics
from serving.rows import first_error

PREDICT = "/predict"
encode = msgspec.json.Encoder().encode


class PredictMiddleware:
    """Answers `POST /predict`, and passes every other request on.

    Args:
        app: BentoML's application.
        decoder: makes rows of a body.
        max_body_bytes: the largest body.
        batcher: scores valid rows.
        timeout_s: seconds after which a request is answered 504.
        fast_path: whether valid rows go straight to the batcher, or through BentoML's route and dispatcher.
    """

    def __init__(
        self,
        app: ASGIApp,
        decoder: RequestDecoder,
        max_body_bytes: int,
        batcher: Batcher,
        timeout_s: float,
        fast_path: bool,
    ) -> None:
        self._app = app
        self._batcher = batcher
        self._deadlines = Deadlines(timeout_s)
        self._decoder = decoder
        self._max_body_bytes = max_body_bytes
        self._fast_path = fast_path
        self._metrics = metrics()  # the middleware stack is built in the worker

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        if scope["type"] != "http":
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
            self._metrics.answered(answer.status)
            await error_response(scope, answer)(scope, receive, send)
            return
        self._metrics.answered(HTTPStatus.OK)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, scope: Scope, receive: Receive) -> bytes | ScorerError:
        """The predictions as JSON, or the error; raises as `read_body` and the decoder do."""
        body = await read_body(scope, receive, self._max_body_bytes)
        if self._batcher.full:
            return OVERLOADED  # before the body costs the work of decoding it
        rows = self._decoder.decode(body)
        if not self._fast_path:
            return await self._ask_route(scope, receive, body)
        results = await self._batcher.submit(rows, "http")
        return first_error(results) or encode(results)

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
