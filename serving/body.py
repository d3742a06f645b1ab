"""Reading the body of an HTTP request within its limit.

A body that is too large is read to its end and dropped, so that its sender can read the answer.
"""

from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request

from models.errors import Rejected

DRAINED_BYTES = 256 << 20  # of a body that is too large; who sends more is hung up on


async def read_body(request: Request, max_body_bytes: int) -> bytes:
    """The whole body; raises `Rejected`, and starlette's `ClientDisconnect` when its sender has gone."""
    headers: Mapping[str, str] = request.headers
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Rejected(415, "a compressed body is not read; send it as it is")
    too_large = Rejected(413, f"the body is over {max_body_bytes:,} bytes")
    declared = int(headers.get("content-length", "0"))  # uvicorn has refused what is no number
    if declared > max_body_bytes and headers.get("expect", "").lower() == "100-continue":
        raise too_large  # the sender is still waiting to be asked for it
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= max_body_bytes:
            parts.append(part)
        elif size > DRAINED_BYTES:
            break
    if size > max_body_bytes:
        raise too_large
    return b"".join(parts)


__all__ = ["ClientDisconnect", "read_body"]
