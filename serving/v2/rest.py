"""The Open Inference Protocol over REST: the routes under `/v2`.

Leaves to others: who may call (`serving.access`), bodies (`rest_codec`), inference (`inference`), and how a request
ends in an error (`serving.error_responses`).
"""

import asyncio
import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.errors import Unready
from serving.error_responses import Endpoint, error_response, guarded
from serving.http.body import read_body
from serving.v2.inference import TIMEOUT, Inference, timeout_s
from serving.v2.rest_codec import LENGTH_HEADER, RestCodec

JSON = "application/json"
BINARY = "application/octet-stream"
MODEL = "/v2/models/{model}"
VERSION = MODEL + "/versions/{version}"


class RestRoutes:
    """The routes.

    Args:
        inference: the served model.
        max_body_bytes: the largest body.
    """

    def __init__(self, inference: Inference, max_body_bytes: int) -> None:
        self._inference = inference
        self._max_body_bytes = max_body_bytes
        self._codec = RestCodec(inference.decoder, inference.name, inference.version)

    def routes(self) -> list[Route]:
        """All of them; those of a model with and without its version."""
        routes = [
            _route("/v2", self._server),
            _route("/v2/health/live", self._live),
            _route("/v2/health/ready", self._ready),
        ]
        for model in (MODEL, VERSION):
            routes += [
                _route(model, self._model),
                _route(f"{model}/ready", self._model_ready),
                _route(f"{model}/infer", self._infer, "POST"),
            ]
        return routes

    async def _server(self, _: Request) -> Response:
        return _json(self._inference.describe_server())

    async def _live(self, _: Request) -> Response:
        return _json({"live": True})

    async def _ready(self, _: Request) -> Response:
        await self._require_ready()
        return _json({"ready": True})

    async def _model(self, request: Request) -> Response:
        self._check(request)
        return _json(self._inference.describe_model())

    async def _model_ready(self, request: Request) -> Response:
        self._check(request)
        await self._require_ready()
        return _json({"name": self._inference.name, "ready": True})

    async def _infer(self, request: Request) -> Response:
        self._check(request)
        async with asyncio.timeout(self._inference.timeout_s):
            body = await read_body(request.scope, request.receive, self._max_body_bytes)
        received_s = time.perf_counter()
        inference_request, tail = self._codec.parse(body, request.headers.get(LENGTH_HEADER))
        outputs = self._codec.outputs(inference_request)
        rows = self._codec.rows(inference_request, tail)
        limit_s = timeout_s(inference_request.parameters.get(TIMEOUT))
        error, predictions = await self._inference.predict(rows, "v2", limit_s and received_s + limit_s)
        if error is not None:
            return error_response(request.scope, error)
        answer, json_bytes = self._codec.answer(inference_request, outputs, predictions)
        if json_bytes is None:
            return Response(answer, media_type=JSON)
        return Response(answer, headers={LENGTH_HEADER: str(json_bytes)}, media_type=BINARY)

    def _check(self, request: Request) -> None:
        self._inference.check(request.path_params["model"], request.path_params.get("version", ""))

    async def _require_ready(self) -> None:
        if not await self._inference.ready():
            raise Unready("cannot score now")


def _route(path: str, answer: Endpoint, method: str = "GET") -> Route:
    return Route(path, guarded(answer), methods=[method])


def _json(content: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(content), media_type=JSON)
