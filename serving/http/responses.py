"""Responses of the framework on their way out: errors get the contract's shape, and pages their security headers.

Owns both rules. Leaves errors that this service found itself to `serving.error_responses`, whose bodies pass through.
"""

from starlette.types import Message, Receive, Scope, Send

from models.errors import CODES, Rejected, ScorerError
from serving.error_responses import CLIENT_CLOSED_REQUEST, Headers, error_response
from serving.faults import TOOK_TOO_LONG, fault

KEPT_HEADERS = (b"allow", b"retry-after", b"www-authenticate")  # of an error response that gets our shape
MESSAGES = {  # of error statuses that BentoML and Starlette answer with
    404: "no such route",
    405: "no such method on this route",
    503: "overloaded or not ready; try again",
    504: TOOK_TOO_LONG,
}
OUR_SHAPES = (b'{"error":{"code":', b'{"code":')  # the second is the text form for clients of Triton
# A page loads nothing from elsewhere and runs no script of its own text, unless it brings a stricter policy that names
# the script's hash: whatever a dependency's page brings, nobody else learns who looks at it.
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
TLS_HEADERS = [(b"strict-transport-security", b"max-age=31536000")]  # seconds: a browser keeps to TLS for a year


class ResponseShaper:
    """A `send` that passes good responses on and rewrites errors.

    Args:
        scope: of the request.
        receive: of the request.
        send: where responses go.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._start: Message | None = None  # of an error response, held back until its body is there
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Take one message of the response."""
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self._start = message
        elif self._start is None:
            if message["type"] == "http.response.start" and is_page(message["headers"]):
                tls = TLS_HEADERS if self._scope["scheme"] == "https" else []
                named = {name.lower() for name, _ in message["headers"]}  # a page of ours brings a policy of its own
                more = [line for line in PAGE_HEADERS if line[0] not in named]
                message["headers"] = [*message["headers"], *more, *tls]
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        if self._body.startswith(OUR_SHAPES) or start["status"] == CLIENT_CLOSED_REQUEST:
            await self._send(start)
            await self._send({"type": "http.response.body", "body": self._body})
            return
        kept = [(name, value) for name, value in start["headers"] if name.lower() in KEPT_HEADERS]
        error = error_of_status(self._scope, start["status"])
        await error_response(self._scope, error, kept)(self._scope, self._receive, self._send)


def error_of_status(scope: Scope, status: int) -> ScorerError:
    """The error for a request that the framework has answered with an error status."""
    if status == 500:
        return fault(f"answering {scope['method']} {scope['path']!r}")
    code = CODES.get(status, "error")
    return Rejected(status, MESSAGES.get(status, code.replace("_", " ")), code)


def is_page(headers: Headers) -> bool:
    """Whether a browser shows the response as a page.

    >>> is_page([(b"Content-Type", b"text/html; charset=utf-8")])
    True
    """
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers)
