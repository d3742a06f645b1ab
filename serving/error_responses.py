"""The one way in which an HTTP request ends in an error, whatever found it: a route, middleware or the connection.

Owns counting the refusal, and the headers and body of the answer. Leaves what is wrong to whoever found it, and
exceptions to `serving.faults`.

Bodies have the contract's one shape, except for callers of `/v2` that send binary tensors or speak HTTP as
tritonclient does: they read `error` as text, and an object there makes tritonclient raise an exception that cannot be
printed.
"""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from models.errors import ScorerError
from serving.faults import error_from
from serving.http.body import ClientGone, headers_of
from serving.metrics import metrics
from serving.request_ids import generated_id_header
from serving.v2.rest_codec import LENGTH_HEADER

Headers = Sequence[tuple[bytes, bytes]]
Handler = Callable[[Request], Awaitable[Response]]

CLIENT_CLOSED_REQUEST = 499  # nginx's status for it: nobody reads it, but BentoML and its timeout wait for an answer
TRITON_HTTP_CLIENT = b"gevent-http-client"  # in the `User-Agent` of tritonclient.http


def error_response(scope: Scope, error: ScorerError, more_headers: Headers = ()) -> Response:
    """The answer to the request of `scope`: an ASGI application, as every `Response` is.

    Args:
        scope: of the request.
        error: what the caller sees.
        more_headers: added unless the error has headers of these names itself.
    """
    metrics().rejected.labels(error.code).inc()
    response = Response(error.text_body() if _reads_text(scope) else error.body(), error.status)
    lines = [(b"content-type", b"application/json"), *generated_id_header(scope)]
    if error.retry_after_s is not None:
        lines.append((b"retry-after", b"%d" % error.retry_after_s))
    if error.status == HTTPStatus.UNAUTHORIZED:
        lines.append((b"www-authenticate", b"Bearer"))
    known = {name for name, _ in lines}
    response.raw_headers += [*lines, *(line for line in more_headers if line[0].lower() not in known)]
    return response


def client_closed_response() -> Response:
    """The end of a request whose caller has gone."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


def guarded(answer: Handler) -> Handler:
    """A handler for Starlette that ends in `error_response` whatever `answer` raises."""

    async def handler(request: Request) -> Response:
        try:
            return await answer(request)
        except ClientGone:
            return client_closed_response()
        except Exception as exception:  # noqa: BLE001 - logged there
            error = error_from(exception, f"answering {request.method} {request.scope['path']!r}")
        return error_response(request.scope, error)

    return handler


def _reads_text(scope: Scope) -> bool:
    """Whether the caller reads `error` as text, or may: a scope without headers is of a head that did not arrive."""
    if not scope["path"].startswith("/v2"):
        return False
    if "headers" not in scope:
        return True
    headers = headers_of(scope)
    return LENGTH_HEADER.encode() in headers or TRITON_HTTP_CLIENT in headers.get(b"user-agent", b"")
