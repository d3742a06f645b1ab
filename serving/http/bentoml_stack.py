"""What BentoML's configuration (BENTOML_CONFIG, BENTOML_CONFIG_OPTIONS) adds around the routes, such as CORS.

Owns what of that configuration follows from our setting of CORS, which of it has to see every request, so that the fast
path steps aside and says so, and that CORS is in front of whatever may answer: BentoML puts it behind the middleware of
a service, where no refusal and no prediction passes.

The configuration is read from what BentoML made of it, the list of middleware of its application; whether it traces is
in a private part, for which `tests/service/test_bentoml_config.py` fails when that changes.
"""

import logging
from collections.abc import Awaitable, Sequence
from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.access.origins import OriginRules
from serving.http.bentoml_observers import QuotingAccessLogMiddleware, RouteMetricsMiddleware, observe

PREFLIGHT_S = 600  # for which a browser may keep the answer to a preflight
OURS = "serving."  # the modules of this service's own middleware
UNSEEN = ("ContextMiddleware",)  # does nothing for a request that is answered elsewhere
TIMEOUT, TRACING = "TimeoutMiddleware", "OpenTelemetryMiddleware"
TRACING_REMEDY = "set tracing_endpoint in configs/service.yaml, or give excluded_urls beside the exporter"
NAMES = {
    "CORSMiddleware": "CORS",
    QuotingAccessLogMiddleware.__name__: "the access log",
    RouteMetricsMiddleware.__name__: "metrics.enabled",
    "MaxConcurrencyMiddleware": "traffic.max_concurrency",
    TIMEOUT: "traffic.timeout",
    TRACING: "tracing",
}
logger = logging.getLogger("bentoml.scorer")


class CrossOriginMiddleware:
    """Answers preflights and adds the headers of CORS to every response, refusals too, if BentoML's configuration does.

    Args:
        app: handles the requests.
        origins: the rules on pages of other sites, which learn whose pages may call. `*` lets none in without a key.
    """

    def __init__(self, app: ASGIApp, origins: OriginRules) -> None:
        self._app = self._behind = app
        self._origins = origins

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request; the start of the application decides how."""
        if scope["type"] == "lifespan":
            for middleware in scope["app"].user_middleware:
                if middleware.cls is CORSMiddleware:
                    self._app = CORSMiddleware(self._behind, **middleware.kwargs)
                    named = middleware.kwargs["allow_origins"]
                    self._origins.allow_origins([named] if isinstance(named, str) else named)
        return self._app(scope, receive, send)


def cross_origin(origins: Sequence[str]) -> dict[str, Any]:
    """BentoML's configuration of CORS for pages of these origins; nothing for none.

    >>> cross_origin(())
    {}
    """
    if not origins:
        return {}
    names = {"origins": list(origins), "methods": ["GET", "POST"], "headers": ["*"], "max_age": PREFLIGHT_S}
    return {"cors": {"enabled": True, **{f"access_control_allow_{name}": value for name, value in names.items()}}}


def mount(app: Any, routes: Sequence[Route], tag: str) -> None:
    """Have BentoML's application serve these routes beside its own, and observe them.

    Args:
        app: BentoML's service.
        routes: ours.
        tag: of the served model.
    """
    beside = Starlette(routes=routes)
    beside.router.redirect_slashes = False  # to the host that the request named, whoever chose that
    app.mount_asgi_app(beside, path="/")
    observe([route.path for route in routes], *tag.split(":"))


def seeing_every_request(stack: Sequence[Middleware], path: str, timeout_s: float) -> list[str]:
    """What in BentoML's stack does something for a request to `path`, by the names of the configuration.

    Args:
        stack: middleware of the application, the outermost first.
        path: of the request.
        timeout_s: seconds after which the service itself gives up.
    """
    found = []
    for middleware in stack:
        name = getattr(middleware.cls, "__name__", repr(middleware.cls))
        ours = getattr(middleware.cls, "__module__", "").startswith(OURS) and name not in NAMES
        if ours or name in UNSEEN:
            continue
        given: Any = middleware.kwargs.get("timeout", timeout_s)
        if name == TIMEOUT and given >= timeout_s:
            continue
        if name == TRACING and _skips(middleware.kwargs.get("excluded_urls"), path):
            if BentoMLContainer.tracing.exporter_type.get():
                logger.warning("BentoML's configuration has a tracing exporter, and tracing is off: %s", TRACING_REMEDY)
            continue
        found.append(NAMES.get(name, name))
    return found


def _skips(excluded: Any, path: str) -> bool:
    """Whether the list of excluded URLs of OpenTelemetry has this path."""
    return excluded is not None and bool(excluded.url_disabled(f"http://localhost{path}"))
