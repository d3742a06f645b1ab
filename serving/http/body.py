"""Reading the headers and the body of an HTTP request, the body within its limit.

A body that is too large is read to its end and dropped, so that its sender can read the answer.
"""

from collections.abc import Mapping

from starlette.types import Receive, Scope

from models.errors import Rejected

_HEADERS = "credit_scorer.headers"  # in the scope, where ASGI lets extensions keep their own
MAX_DRAINED_BYTES = 256 << 20  # of a body that is too large; beyond it the connection is closed


class ClientGone(Exception):  # noqa: N818 - not an error of anybody's
    """The client closed the connection before its body was whole."""


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers by name, the last of equal ones; built once per request."""
    headers: dict[bytes, bytes] | None = scope.get(_HEADERS)
    if headers is None:
        headers = scope[_HEADERS] = dict(scope["headers"])
    return headers


async def read_body(scope: Scope, receive: Receive, max_body_bytes: int) -> bytes:
    """The whole body.

    Raises:
        Rejected: 413 or 415.
        ClientGone: the connection was closed before the body ended.
    """
    headers = headers_of(scope)
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise Rejected(415, "compressed bodies are not supported; send it uncompressed")
    if b"expect" in headers and headers[b"expect"].lower() == b"100-continue":
        declared = int(headers.get(b"content-length", b"0"))  # uvicorn has refused what is not a number
        if declared > max_body_bytes:
            raise too_large(max_body_bytes)  # the sender has not sent the body yet
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size <= max_body_bytes:
            parts.append(part)
        else:
            parts.clear()
            if size > MAX_DRAINED_BYTES:
                break
    if size > max_body_bytes:
        raise too_large(max_body_bytes)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(max_body_bytes: int) -> Rejected:
    """The refusal of a body over the limit."""
    return Rejected(413, f"the body is over {max_body_bytes:,} bytes")
