"""One request and its response on the fast path, as uvicorn sees them; what happens is in `serving.http.protocol`."""

from typing import Any

from serving.http.endpoint import Endpoint


class _NoEvent:
    """Stands for the event of uvicorn's cycle, which wakes its task; an exchange has no task."""

    def set(self) -> None:
        """Do nothing."""


class Exchange:
    """One request and its response on the fast path; has what uvicorn reads and sets of its own cycle."""

    __slots__ = ("body", "disconnected", "endpoint", "keep_alive", "request_id", "response_complete", "scope")
    message_event = _NoEvent()
    response_started = False

    def __init__(self, endpoint: Endpoint, scope: Any, request_id: bytes | None, keep_alive: bool) -> None:
        self.endpoint, self.scope, self.request_id = endpoint, scope, request_id
        self.keep_alive = keep_alive  # cleared by uvicorn when the server shuts down
        self.body = bytearray()
        self.disconnected = self.response_complete = False
