"""`POST /predict` past the middleware that BentoML has around every request.

Owns that fork. BentoML puts OpenTelemetry's middleware and its timeout in front of ours whatever the configuration
says; switched off they still take 15 us of a request of 70, and the timeout keeps a timer of 600 bytes a request until
it would have rung. `serving.access.middleware` and `serving.http.predict` bring what the route needs of that: a
deadline, and an answer whatever happens. Not used when BentoML's metrics, access log or tracing are on, as they have to
see every request.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

PREDICT = "/predict"

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class FastPathMiddleware:
    """The outermost of our middleware: when the application starts, it puts the fork in front of it.

    Args:
        app: what `POST /predict` goes to, the rest of our middleware.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Whatever has come the whole way; the first is the start of the application, which ASGI calls `lifespan`."""
        if scope["type"] == "lifespan":
            starlette = scope["app"]
            starlette.middleware_stack = FastPathRouter(self._app, starlette.middleware_stack)
            # uvicorn writes a line a request, 3 us, that BentoML has nobody print; without a handler it does not.
            logging.getLogger("uvicorn.access").propagate = False
        await self._app(scope, receive, send)


class FastPathRouter:
    """Two ways: `POST /predict` takes the short one.

    Args:
        short: what answers it.
        long: everything else.
    """

    def __init__(self, short: App, long: App) -> None:
        self._short = short
        self._long = long

    def __call__(self, scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
        """One request."""
        short = scope["type"] == "http" and scope["path"] == PREDICT and scope["method"] == "POST"
        return (self._short if short else self._long)(scope, receive, send)
