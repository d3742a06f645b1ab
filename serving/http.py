"""The way in over HTTP: an ASGI middleware in front of BentoML's routes.

Owns reading and decoding the body of `POST /predict`, within the limits, that every error, whoever made it, leaves in
the contract's shape, and what a page may load. `POST /predict` is answered here: BentoML's route defines and documents
it, and describes it to clients, but would parse, validate and encode once more.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from models.errors import CODES, RETRY_AFTER_S, Fault, Rejected, ScorerError
from models.request import RequestDecoder
from serving.batching import OVERLOADED, Batcher
from serving.deadlines import Deadlines
from serving.metrics import metrics
from serving.request_ids import unasked
from serving.scoring import Arrival

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

PREDICT = "/predict"
DRAINED_BYTES = 256 << 20  # of a body that is too large, read and dropped so that its sender can read the answer
KEPT_HEADERS = (b"allow", b"retry-after", b"www-authenticate")  # of an error answer that is put into our shape
FOREIGN = {  # what an error that BentoML made is called
    404: "no such route",
    405: "no such method on this route",
    503: "overloaded or not ready; try again",
    504: "took too long",
}
OURS = (b'{"error":{"code":', b'{"code":')  # the second is that of serving.rest to clients of Triton
# BentoML's page brings a tag manager, which would tell others who looks at it; a browser then loads nothing foreign.
PAGE_HEADERS = [
    (
        b"content-security-policy",
        (
            b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
TLS_HEADERS = [(b"strict-transport-security", b"max-age=31536000")]  # a browser that came by TLS stays with it, a year

encode = msgspec.json.Encoder().encode
logger = logging.getLogger("bentoml.scorer")


class ClientGone(Exception):  # noqa: N818 - not an error of anybody's
    """The sender closed the connection before the body was whole."""


class FrontDoor:
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == PREDICT and scope["method"] == "POST":
            await self._predict(scope, receive, send)
        else:
            await self._app(scope, receive, _Shaped(scope, send, self._refuse))

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: bytes | ScorerError
        request = self._deadlines.enter()
        try:
            body = await self._body(scope, receive)
            if self._batcher.full:
                answer = OVERLOADED  # before it costs the work of reading it
            else:
                rows = self._decoder.decode(body)
                answer = await (self._score(rows) if self._lane else self._ask_route(scope, receive, body))
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

    async def _score(self, rows: list[Struct]) -> bytes | ScorerError:
        """The lane: rows are scored with what else has come, and encoded."""
        now_s = time.perf_counter()
        results = await self._batcher.submit([Arrival(row, "http", now_s) for row in rows])
        for result in results:
            if isinstance(result, ScorerError):
                return result
        return encode(results)

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

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
            raise Rejected(415, "a compressed body is not read; send it as it is")
        declared = int(headers.get(b"content-length", b"0"))  # uvicorn has refused what is no number
        if declared > self._max_body_bytes and headers.get(b"expect", b"").lower() == b"100-continue":
            raise self._too_large()  # the sender is still waiting to be asked for it
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size <= self._max_body_bytes:
                parts.append(part)
            else:
                parts.clear()
                if size > DRAINED_BYTES:
                    break
        if size > self._max_body_bytes:
            raise self._too_large()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_large(self) -> Rejected:
        return Rejected(413, f"the body is over {self._max_body_bytes:,} bytes")


class _Shaped:
    """A `send` that lets good answers through, and has errors put into the contract's shape."""

    def __init__(
        self, scope: Scope, send: Send, refuse: Callable[[Send, ScorerError, Headers], Awaitable[None]]
    ) -> None:
        self._scope = scope
        self._send = send
        self._refuse = refuse
        self._start: Message | None = None  # of an error answer, held back
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
            self._start = message
        elif self._start is None:
            if message["type"] == "http.response.start" and is_page(message["headers"]):
                secure = TLS_HEADERS if self._scope["scheme"] == "https" else []
                message["headers"] = [*message["headers"], *PAGE_HEADERS, *secure]
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        if self._body.startswith(OURS):
            await self._send(start)
            await self._send({"type": "http.response.body", "body": self._body})
            return
        kept = [(name, value) for name, value in start["headers"] if name.lower() in KEPT_HEADERS]
        await self._refuse(self._send, foreign(self._scope, start["status"]), kept)


def foreign(scope: Scope, status: int) -> ScorerError:
    """What BentoML has answered with an error status, in our words."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        fault_id = uuid.uuid4().hex
        logger.error("fault %s on %s %s", fault_id, scope["method"], scope["path"])
        return Fault(fault_id)
    code = CODES.get(status, "error")
    return Rejected(status, FOREIGN.get(status, code.replace("_", " ")), code)


def is_page(lines: Headers) -> bool:
    """Whether a browser shows the answer as a page.

    >>> is_page([(b"Content-Type", b"text/html; charset=utf-8")])
    True
    """
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in lines)


def headers(error: ScorerError, length: int) -> list[tuple[bytes, bytes]]:
    """The headers of an error answer."""
    lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % length), *unasked()]
    if error.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        lines.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    return lines
