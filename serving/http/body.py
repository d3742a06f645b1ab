"""Reading the headers and the body of an HTTP request, the body within its limit.

A body that is too large is read to its end and dropped, so that its sender can read the answer.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from models.errors import Rejected

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_FIELDS = "credit_scorer.fields"  # in the scope, where ASGI lets extensions keep what is theirs
DRAINED_BYTES = 256 << 20  # of a body that is too large; who sends more is hung up on


class ClientGone(Exception):  # noqa: N818 - not an error of anybody's
    """The sender closed the connection before the body was whole."""


def fields_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers by name, the last of equal ones; made once a request."""
    fields: dict[bytes, bytes] | None = scope.get(_FIELDS)
    if fields is None:
        fields = scope[_FIELDS] = dict(scope["headers"])
    return fields


async def read_body(scope: Scope, receive: Receive, max_body_bytes: int) -> bytes:
    """The whole body; raises `Rejected`: 413 or 415, and `ClientGone`."""
    headers = fields_of(scope)
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise Rejected(415, "a compressed body is not read; send it as it is")
    if b"expect" in headers and headers[b"expect"].lower() == b"100-continue":
        declared = int(headers.get(b"content-length", b"0"))  # uvicorn has refused what is no number
        if declared > max_body_bytes:
            raise too_large(max_body_bytes)  # the sender is still waiting to be asked for it
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
            if size > DRAINED_BYTES:
                break
    if size > max_body_bytes:
        raise too_large(max_body_bytes)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(max_body_bytes: int) -> Rejected:
    """The refusal of a body over the limit."""
    return Rejected(413, f"the body is over {max_body_bytes:,} bytes")
