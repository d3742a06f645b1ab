"""The fast path forks in front of the middleware of a real Starlette application."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serving.http.fast_path import FastPathMiddleware


class Outer:
    """Stands for the middleware that BentoML puts in front of ours; counts the requests that pass."""

    passed = 0

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            Outer.passed += 1
        await self._app(scope, receive, send)


@pytest.mark.parametrize(
    ("method", "path", "passes"),
    [("POST", "/predict", False), ("GET", "/predict", True), ("POST", "/predict/", True), ("POST", "/explain", True)],
)
def test_only_a_post_to_predict_skips_the_middleware_in_front(method, path, passes):
    """Fails when Starlette no longer runs the application behind its `middleware_stack`."""
    routes = [
        Route(known, lambda _: PlainTextResponse("answered"), methods=["GET", "POST"])
        for known in ("/predict", "/predict/", "/explain")
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Outer), Middleware(FastPathMiddleware)])
    Outer.passed = 0
    assert asyncio.run(started_and_asked(app, method, path)) == "answered"
    assert Outer.passed == passes


async def started_and_asked(app, method, path):
    """The text of one response, after the start of the application."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(messages)

    async def send(message):
        assert not message["type"].endswith(".failed"), message

    await app({"type": "lifespan"}, receive, send)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return (await client.request(method, path)).text
