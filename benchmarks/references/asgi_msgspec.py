"""Bare ASGI, msgspec and ONNX Runtime: each request is decoded, scored alone and encoded, without a framework.

Run by uvicorn on uvloop and httptools, without access log. Imported objects are exempt from garbage collection.
"""

import gc
from typing import Any

import msgspec

from benchmarks.references.model import Model
from benchmarks.references.rows import msgspec_row

MODEL = Model.from_environment()
ENVELOPE: Any = msgspec.defstruct(
    "Envelope",
    [("applicants", list[msgspec_row(MODEL.dataset)])],  # type: ignore[misc]  # a type made at run time
    forbid_unknown_fields=True,
)
DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(ENVELOPE)
gc.freeze()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One request."""
    if scope["type"] != "http":
        return
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    status, body = answer(parts[0] if len(parts) == 1 else b"".join(parts))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def answer(body: bytes) -> tuple[int, bytes]:
    """Status and body."""
    try:
        applicants = DECODER.decode(body).applicants
    except msgspec.DecodeError as error:
        return 422, msgspec.json.encode({"error": str(error)})
    return 200, msgspec.json.encode(MODEL.predict(applicants))
