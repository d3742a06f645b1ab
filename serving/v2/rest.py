"""The way in over REST for the Open Inference Protocol: routes under `/v2`.

Leaves to others: who may ask (gate), bodies (rest_codec), what is answered (inference). Errors have the one shape of
this service, but for callers that use the binary extension or tritonclient's way to speak HTTP. Those read `error` as
the protocol has it, a text: with anything else there, tritonclient raises an exception that cannot be printed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.errors import RETRY_AFTER_S, Rejected, ScorerError, Unready
from serving.http.body import ClientGone, read_body
from serving.metrics import metrics
from serving.v2.inference import TIMEOUT, Inference, seconds, told
from serving.v2.rest_codec import LENGTH_HEADER, RestCodec

JSON = "application/json"
BINARY = "application/octet-stream"
MODEL = "/v2/models/{model}"
VERSION = MODEL + "/versions/{version}"
TO_TRY_AGAIN = (429, 503)
TRITONS_HTTP = "gevent-http-client"  # in the `User-Agent` of tritonclient.http

Answer = Callable[[Request], Awaitable[Response | ScorerError]]


class RestRoutes:
    """The routes.

    Args:
        inference: what is served.
        max_body_bytes: the largest body.
    """

    def __init__(self, inference: Inference, max_body_bytes: int) -> None:
        self._inference = inference
        self._max_body_bytes = max_body_bytes
        self._codec = RestCodec(inference.decoder, inference.name, inference.version)

    def routes(self) -> list[Route]:
        """All of them; a model's are there with and without its version."""
        routes = [
            Route("/v2", self._told(self._server)),
            Route("/v2/health/live", self._told(self._live)),
            Route("/v2/health/ready", self._told(self._ready)),
        ]
        for model in (MODEL, VERSION):
            routes += [
                Route(model, self._told(self._model)),
                Route(f"{model}/ready", self._told(self._model_ready)),
                Route(f"{model}/infer", self._told(self._infer), methods=["POST"]),
            ]
        return routes

    def _told(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                said = await answer(request)
            except ScorerError as error:
                said = error
            except ClientGone:
                return Response(status_code=400)  # to nobody
            if isinstance(said, Response):
                return said
            metrics().rejected.labels(said.code).inc()
            again = {"retry-after": str(RETRY_AFTER_S)} if said.status in TO_TRY_AGAIN else {}
            as_text = LENGTH_HEADER in request.headers or TRITONS_HTTP in request.headers.get("user-agent", "")
            return Response(error_body(said, as_text), said.status, again, JSON)

        return endpoint

    async def _server(self, _: Request) -> Response:
        return _json(self._inference.describe_server())

    async def _live(self, _: Request) -> Response:
        return _json({"live": True})

    async def _ready(self, _: Request) -> Response | ScorerError:
        return _json({"ready": True}) if await self._inference.ready() else Unready("cannot score now")

    async def _model(self, request: Request) -> Response:
        self._check(request)
        return _json(self._inference.describe_model())

    async def _model_ready(self, request: Request) -> Response | ScorerError:
        self._check(request)
        told = {"name": self._inference.name, "ready": True}
        return _json(told) if await self._inference.ready() else Unready("cannot score now")

    async def _infer(self, request: Request) -> Response | ScorerError:
        self._check(request)
        try:
            async with asyncio.timeout(self._inference.timeout_s):
                body = await read_body(request.scope, request.receive, self._max_body_bytes)
        except TimeoutError:
            return Rejected(504, "took too long")
        came_s = time.perf_counter()
        asked, behind = self._codec.parse(body, request.headers.get(LENGTH_HEADER))
        names = self._codec.outputs(asked)
        rows = self._codec.rows(asked, behind)
        limit_s = seconds(asked.parameters.get(TIMEOUT))
        predictions = await self._inference.predict(rows, "v2", None if limit_s is None else came_s + limit_s)
        if isinstance(predictions, ScorerError):
            return predictions
        answer, json_bytes = self._codec.answer(asked, names, predictions)
        if json_bytes is None:
            return Response(answer, media_type=JSON)
        return Response(answer, headers={LENGTH_HEADER: str(json_bytes)}, media_type=BINARY)

    def _check(self, request: Request) -> None:
        self._inference.check(request.path_params["model"], request.path_params.get("version", ""))


def error_body(error: ScorerError, as_text: bool) -> bytes:
    """An error in the shape of this service, or with a text for `error` as the protocol has it.

    >>> error_body(Rejected(404, "no model x"), True)
    b'{"code":"not_found","error":"no model x","details":[]}'
    """
    if not as_text:
        return error.body()
    return msgspec.json.encode({"code": error.code, "error": told(error), "details": error.details})


def _json(told: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(told), media_type=JSON)
