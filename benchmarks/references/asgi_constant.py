"""Bare ASGI that reads the body and returns a constant: the upper limit for HTTP in Python."""

from typing import Any

BODY = (
    b'[{"application_id":"019aa5d0-2c00-7000-8000-000000000000","probability":0.7113486528396606,'
    b'"decision":"decline","model":"german_credit:0000000000000000"}]'
)
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}
ANSWER = {"type": "http.response.body", "body": BODY}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One request."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    await send(START)
    await send(ANSWER)
