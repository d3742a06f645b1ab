"""What leaves over HTTP: every error, whoever made it, in the contract's shape, and what a page may load.

Owns the headers of answers. Leaves what is wrong to whoever found it (`models.errors` has the shape).
"""

import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from models.errors import CODES, RETRY_AFTER_S, Fault, Rejected, ScorerError
from serving.http.body import Message, Scope
from serving.request_ids import unasked

Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

KEPT_HEADERS = (b"allow", b"retry-after", b"www-authenticate")  # of an error answer that is put into our shape
FOREIGN = {  # what an error that BentoML made is called
    404: "no such route",
    405: "no such method on this route",
    503: "overloaded or not ready; try again",
    504: "took too long",
}
OURS = (b'{"error":{"code":', b'{"code":')  # the second is that of serving.v2.rest to clients of Triton
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

logger = logging.getLogger("bentoml.scorer")


class ErrorShaper:
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
        """One message on its way out."""
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
