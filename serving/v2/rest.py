"""The Open Inference Protocol over REST: the routes under `/v2`.

Leaves to others: who may call (`serving.access`), bodies (`rest_codec`), inference (`inference`), and how a request
ends in an error (`serving.error_responses`).
"""

import asyncio
import time
from codecs import BOM_UTF8
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from models.errors import Unready
from models.prediction import Prediction
from models.request import parse
from serving import request_ids
from serving.calls import call_of, caller_of
from serving.error_responses import Handler, error_response, guarded
from serving.http.body import headers_of, read_body
from serving.http.endpoint import JSON, Encoded, Submitted
from serving.rows import Receiver, Results, first_error
from serving.v2.extensions import Extensions
from serving.v2.inference import TIMEOUT, Inference, timeout_s
from serving.v2.rest_codec import LENGTH_HEADER, InferRequest, RestCodec
from serving.v2.tensors import malformed

BINARY = ((b"content-type", b"application/octet-stream"),)
MODEL = "/v2/models/{model}"
VERSION = MODEL + "/versions/{version}"


class InferEndpoint:
    """Has the rows of an inference request scored.

    Args:
        inference: the served model.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._codec = RestCodec(inference.decoder, inference.name, inference.version)

    def submit(self, body: bytes, scope: Scope, receiver: Receiver) -> Submitted:
        """Decode, validate and submit; raises the error that refuses the request."""
        received_s = time.perf_counter()
        if rate := caller_of(scope).rows:
            rate.spend(0)  # before the body costs the work of decoding it
        json_bytes = headers_of(scope).get(LENGTH_HEADER.encode())
        request, tail = self._codec.parse(body, None if json_bytes is None else json_bytes.decode("latin-1"))
        request_ids.prefer(scope, request.id)
        outputs = self._codec.outputs(request)
        rows = self._codec.rows(request, tail)
        if rate:
            rate.spend(len(rows))
        asked_s = timeout_s((request.parameters or {}).get(TIMEOUT))
        until_s = None if asked_s is None else received_s + asked_s
        limit_s = self._inference.submit(receiver, rows, call_of(scope, "v2"), until_s)
        return Submitted(partial(self._answer, request, outputs), None if asked_s is None else limit_s)

    def count_response(self, status: int) -> None:
        """Count one response: refusals and rows are counted elsewhere."""

    def _answer(self, request: InferRequest, outputs: dict[str, bool], results: Results) -> Encoded:
        answer, json_bytes = self._codec.answer(request, outputs, cast("Sequence[Prediction]", results))
        if json_bytes is None:
            return JSON, answer
        return [*BINARY, (LENGTH_HEADER.encode(), b"%d" % json_bytes)], answer


class RestRoutes:
    """The routes.

    Args:
        inference: the served model.
        max_body_bytes: the largest body.
    """

    def __init__(self, inference: Inference, max_body_bytes: int) -> None:
        self._inference = inference
        self._max_body_bytes = max_body_bytes
        self.infer = InferEndpoint(inference)
        self._extensions = Extensions(inference)

    def endpoints(self) -> dict[bytes, InferEndpoint]:
        """The endpoint of inference, by the paths of the served model."""
        name, version = self._inference.name, self._inference.version
        paths = (MODEL.format(model=name), VERSION.format(model=name, version=version))
        return {f"{path}/infer".encode(): self.infer for path in paths}

    def routes(self) -> list[Route]:
        """All of them; those of a model with and without its version."""
        routes = [
            _route("/v2", self._server),
            _route("/v2/health/live", self._live),
            _route("/v2/health/ready", self._ready),
            _route("/v2/models/stats", self._statistics),
            _route("/v2/repository/index", self._index, "POST"),
        ]
        for model in (MODEL, VERSION):
            routes += [
                _route(model, self._model),
                _route(f"{model}/ready", self._model_ready),
                _route(f"{model}/config", self._config),
                _route(f"{model}/stats", self._model_statistics),
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

    async def _config(self, request: Request) -> Response:
        self._check(request)
        return _json(self._extensions.config())

    async def _model_statistics(self, request: Request) -> Response:
        self._check(request)
        return await self._statistics(request)

    async def _statistics(self, _: Request) -> Response:
        return _json(await self._extensions.statistics())

    async def _index(self, request: Request) -> Response:
        async with asyncio.timeout(self._inference.timeout_s):
            body = await read_body(request.scope, request.receive, self._max_body_bytes)
        return _json(await self._extensions.index(asks_for_ready(body)))

    async def _infer(self, request: Request) -> Response:
        self._check(request)
        async with asyncio.timeout(self._inference.timeout_s):
            body = await read_body(request.scope, request.receive, self._max_body_bytes)
        waiting: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
        submitted = self.infer.submit(body, request.scope, waiting)
        async with asyncio.timeout(self._inference.timeout_s if submitted.limit_s is None else submitted.limit_s):
            results = await waiting
        if error := first_error(results):
            return error_response(request.scope, error)
        headers, answer = submitted.encode(results)
        response = Response(answer)
        response.raw_headers += headers
        return response

    def _check(self, request: Request) -> None:
        self._inference.check(request.path_params["model"], request.path_params.get("version", ""))

    async def _require_ready(self) -> None:
        if not await self._inference.ready():
            raise Unready("cannot score now")


def asks_for_ready(body: bytes) -> bool:
    """Whether the body of a request for the index asks for the models alone that are ready; it may be empty.

    >>> asks_for_ready(b""), asks_for_ready(b'{"ready": true}')
    (False, True)
    """
    text = body.removeprefix(BOM_UTF8)
    envelope = parse(text) if text.strip() else {}
    if not isinstance(envelope, dict) or not isinstance(envelope.get("ready", False), bool):
        raise malformed('the body must be empty or {"ready": true or false}')
    return bool(envelope.get("ready", False))


def _route(path: str, answer: Handler, method: str = "GET") -> Route:
    return Route(path, guarded(answer), methods=[method])


def _json(content: dict[str, Any] | list[dict[str, str]]) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
