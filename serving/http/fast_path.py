"""The fast path: `POST /predict` without the middleware that BentoML puts around every request.

Owns that fork, and the private part of Starlette that it takes: `middleware_stack`, as there is no public way in front
of BentoML's middleware (`tests/serving/http/test_fast_path.py` fails when it changes). BentoML puts OpenTelemetry's
middleware and its timeout in front of ours whatever the configuration says; switched off they still take 15 us of a
request of 70, and the timeout keeps a timer of 600 bytes per request until it would have fired.
`serving.access.middleware` and `serving.http.predict` do what the route needs of that: a deadline, and a response
whatever happens. Not used when BentoML's metrics, access log or tracing are on: they must see every request.
"""

import logging
from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.predict import PREDICT


class FastPathMiddleware:
    """The outermost of our middleware: puts the fork in front of the application when that starts.

    Args:
        app: the rest of our middleware, where `POST /predict` goes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle what has come the long way, beginning with the `lifespan` of the application."""
        if scope["type"] == "lifespan":
            starlette = scope["app"]
            starlette.middleware_stack = FastPathRouter(self._app, starlette.middleware_stack)
            # uvicorn formats a line per request, 3 us, that BentoML gives no handler; without propagation it does not.
            logging.getLogger("uvicorn.access").propagate = False
        await self._app(scope, receive, send)


class FastPathRouter:
    """Routes `POST /predict` to one application and every other request to another.

    Args:
        short: answers `POST /predict`.
        long: answers everything else.
    """

    def __init__(self, short: ASGIApp, long: ASGIApp) -> None:
        self._short = short
        self._long = long

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        short = scope["type"] == "http" and scope["path"] == PREDICT and scope["method"] == "POST"
        return (self._short if short else self._long)(scope, receive, send)
