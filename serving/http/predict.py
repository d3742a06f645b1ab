"""The way in over HTTP: an ASGI middleware in front of BentoML's routes.

Owns `POST /predict`, which is answered here: BentoML's route defines and documents it, and describes it to clients, but
would parse, validate and encode once more. Leaves to others: reading a body (`serving.http.body`), the form of what
leaves (`serving.http.responses`).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec

from models.errors import Rejected, ScorerError
from models.request import RequestDecoder
from serving.batching import OVERLOADED, Batcher
from serving.http.body import ClientGone, Message, Receive, Scope, read_body
from serving.http.deadlines import Deadlines
from serving.http.responses import FOREIGN, ErrorShaper, Headers, Send, foreign, headers
from serving.metrics import metrics
from serving.scoring import PendingRow, Results

App = Callable[[Scope, Receive, Send], Awaitable[None]]

PREDICT = "/predict"
encode = msgspec.json.Encoder().encode
logger = logging.getLogger("bentoml.scorer")


def encoded(results: Results) -> bytes | ScorerError:
    """What a request is answered: its rows in JSON, or the first error among them."""
    for result in results:
        if isinstance(result, ScorerError):
            return result
    return encode(results)


class PredictMiddleware:
    """Decodes what comes in, and shapes the errors that go out.

    Args:
        app: BentoML's application.
        decoder: makes rows of a body.
        max_body_bytes: the largest body.
        batcher: where valid rows are scored.
        timeout_s: seconds until a request is given up.
        lane: whether `POST /predict` is answered here, or by BentoML's route once its body has been checked.
    """

    def __init__(
        self, app: App, decoder: RequestDecoder, max_body_bytes: int, batcher: Batcher, timeout_s: float, lane: bool
    ) -> None:
        self._app = app
        self._batcher = batcher
        self._deadlines = Deadlines(timeout_s)
        self._decoder = decoder
        self._max_body_bytes = max_body_bytes
        self._lane = lane
        self._metrics = metrics()  # the stack of middleware is built in the worker

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        if scope["path"] == PREDICT and scope["method"] == "POST":
            return self._predict(scope, receive, send)
        return self._app(scope, receive, ErrorShaper(scope, send, self._refuse))

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: bytes | ScorerError
        request = self._deadlines.enter()
        try:
            body = await read_body(scope, receive, self._max_body_bytes)
            if self._batcher.full:
                answer = OVERLOADED  # before it costs the work of reading it
            else:
                rows = self._decoder.decode(body)
                if self._lane:
                    now_s = time.perf_counter()
                    answer = encoded(await self._batcher.submit([PendingRow(row, "http", now_s) for row in rows]))
                else:
                    answer = await self._ask_route(scope, receive, body)
        except Rejected as error:
            answer = error
        except ClientGone:
            # To nobody: BentoML's timeout waits for a first word, and a stop of the service for BentoML's timeout.
            await send({"type": "http.response.start", "status": 499, "headers": []})
            return
        except asyncio.CancelledError:
            if not self._deadlines.leave(request):
                raise
            answer = Rejected(504, FOREIGN[504])
        except Exception:  # BentoML would let the caller wait until its timeout
            answer = foreign(scope, 500)
            logger.exception("while answering")
        finally:
            self._deadlines.leave(request)
        self._metrics.answered(answer.status if isinstance(answer, ScorerError) else 200)
        if isinstance(answer, ScorerError):
            await self._refuse(send, answer)
            return
        lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await send({"type": "http.response.body", "body": answer})

    async def _ask_route(self, scope: Scope, receive: Receive, body: bytes) -> bytes | ScorerError:
        """The way that BentoML has for it, with a body that is known to be valid."""
        unread, answer = [body], bytearray()
        status = 0

        async def replay() -> Message:
            return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

        async def gather(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))

        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self._app({**scope, "headers": headers}, replay, gather)
        return bytes(answer) if status == HTTPStatus.OK else foreign(scope, status)

    async def _refuse(self, send: Send, error: ScorerError, more: Headers = ()) -> None:
        self._metrics.rejected.labels(error.code).inc()
        body = error.body()
        lines = headers(error, len(body))
        known = {name for name, _ in lines}
        lines += [(name, value) for name, value in more if name.lower() not in known]
        await send({"type": "http.response.start", "status": error.status, "headers": lines})
        await send({"type": "http.response.body", "body": body})
