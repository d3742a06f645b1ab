"""BentoML's access log and metrics of requests, where they are on: what a caller sends must not run through them.

BentoML writes the path into its log as it was sent, decoded, so that `%0a` makes a line of its own, logs nothing of a
request whose content type is no UTF-8, and makes a time series of every path that anybody asks for. Both get a scope of
their own here, in which text is quoted and a path that is no route of the service is named `other`; the application
gets the scope as it came.

BentoML has no public way to change its middleware, so the classes are put where it looks them up;
`tests/serving/http/test_bentoml_observers.py` fails when that changes.
"""

from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import quote

from bentoml._internal.server.http import access, instruments
from starlette.types import ASGIApp, Receive, Scope, Send

_ORIGINAL = "credit_scorer.original_scope"  # in the scope, where ASGI lets extensions keep their own
OTHER = "other"
OF_BENTOML = ("/predict", "/schema.json", "/livez", "/readyz", "/healthz")
STATIC = "/static_content"
PATH_MARKS = "/"  # not quoted; a comma or a bracket would look like the log's own
HEADER_MARKS = " /;=+.*-"
ADDRESS_MARKS = ":."


class _Beside:
    """Calls the application behind a middleware with the scope as it came."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope.get(_ORIGINAL, scope), receive, send)


class QuotingAccessLogMiddleware(access.AccessLogMiddleware):
    """Writes one line per request whatever is in it.

    Args:
        app: handles the requests.
        options: BentoML's.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(_Beside(app), **options)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            headers = [(name, quote(value, safe=HEADER_MARKS).encode()) for name, value in scope["headers"]]
            client = scope.get("client") and (quote(scope["client"][0], safe=ADDRESS_MARKS), scope["client"][1])
            path = quote(scope["path"], safe=PATH_MARKS)
            scope = {**scope, "path": path, "headers": headers, "client": client, _ORIGINAL: scope}
        await super().__call__(scope, receive, send)


class RouteMetricsMiddleware(instruments.RunnerTrafficMetricsMiddleware):
    """Counts requests by route.

    Args:
        app: handles the requests.
        options: BentoML's.
    """

    routes: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(_Beside(app), **options)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            scope = {**scope, "path": self.route_of(scope["path"]), _ORIGINAL: scope}
        await super().__call__(scope, receive, send)

    @classmethod
    def route_of(cls, path: str) -> str:
        """The label of a path."""
        if path in cls.routes:
            return path
        return STATIC if path.startswith(f"{STATIC}/") else OTHER


def observe(templates: Iterable[str], model: str, version: str) -> None:
    """Have BentoML use these classes from here on.

    Args:
        templates: the paths of our routes, as Starlette has them.
        model: the name of the served model, whose routes are known.
        version: its version.
    """
    filled = (path.replace("{model}", model).replace("{version}", version) for path in templates)
    RouteMetricsMiddleware.routes = frozenset((*filled, *OF_BENTOML))
    access.AccessLogMiddleware = QuotingAccessLogMiddleware  # type: ignore[misc, assignment]
    instruments.RunnerTrafficMetricsMiddleware = RouteMetricsMiddleware  # type: ignore[misc, assignment]
