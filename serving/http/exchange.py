"""One request and its response on the fast path, as uvicorn sees them; what happens is in `serving.http.protocol`."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from models.errors import ScorerError
from serving.error_responses import error_response
from serving.faults import error_from
from serving.http.endpoint import JSON, Encoded, Endpoint
from serving.rows import Results

_ANSWERED = STATUS_LINE[200]
_JSON = b"%b: %b\r\ncontent-length: " % JSON[0]


class _NoEvent:
    """Stands for the event of uvicorn's cycle, which wakes its task; an exchange has no task."""

    def set(self) -> None:
        """Do nothing."""


class Exchange:
    """One request and its response on the fast path; has what uvicorn reads and sets of its own cycle.

    It is the receiver of its results, so that a response is written in the turn of the loop that has scored it.

    Args:
        endpoint: answers the request.
        scope: of the request.
        request_id: that its caller sent.
        keep_alive: whether more requests may follow; cleared by uvicorn when the server shuts down.
    """

    __slots__ = (
        *("answer", "body", "disconnected", "endpoint", "keep_alive"),
        *("request_id", "response_complete", "results", "scope", "_unwanted"),
    )
    message_event = _NoEvent()
    response_started = False

    def __init__(self, endpoint: Endpoint, scope: Any, request_id: bytes | None, keep_alive: bool) -> None:
        self.endpoint, self.scope, self.request_id, self.keep_alive = endpoint, scope, request_id, keep_alive
        self.body = bytearray()
        self.disconnected = self.response_complete = self._unwanted = False
        self.results: Results | None = None
        self.answer: Callable[[Results], None] | None = None  # to be called with the results

    def cancel(self) -> None:
        """Take the rows out of the queue."""
        self._unwanted = True

    def cancelled(self) -> bool:
        """Whether nobody wants the results any more."""
        return self._unwanted

    def set_result(self, results: Results, /) -> None:
        """Answer, or keep the results until it is known how."""
        if self.answer is None:
            self.results = results
            return
        try:
            self.answer(results)
        except Exception as exception:  # noqa: BLE001 - logged there; the deadline of the connection ends it
            error_from(exception, f"answering POST {self.scope['path']}")


def response_bytes(exchange: Exchange, response: Encoded | ScorerError, common: bytes) -> bytes:
    """The whole response to a request, and count it.

    Args:
        exchange: the request.
        response: what it is answered with.
        common: the lines that every response has.
    """
    if isinstance(response, ScorerError):
        answer = error_response(exchange.scope, response)
        status, body = response.status, bytes(answer.body)
        lines = b"".join([b"%b: %b\r\n" % header for header in answer.raw_headers])
    else:
        status, (headers, body) = 200, response
        if headers is JSON:
            lines = b"%b%d\r\n" % (_JSON, len(body))
        else:
            lines = b"%bcontent-length: %d\r\n" % (b"".join([b"%b: %b\r\n" % line for line in headers]), len(body))
    exchange.endpoint.count_response(status)
    if exchange.request_id is not None:
        lines += b"x-request-id: %b\r\n" % exchange.request_id
    if not exchange.keep_alive:
        lines += b"connection: close\r\n"
    return b"%b%b%b\r\n%b" % (_ANSWERED if status == 200 else STATUS_LINE[status], common, lines, body)
