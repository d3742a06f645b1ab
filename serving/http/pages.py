"""Pages to read: the API page and its document, the model and its card, and metrics where BentoML's own are off."""

from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.artifact import Artifact
from serving.http.api_page import api_page
from serving.http.openapi import complete, title_of
from serving.metrics import exposition, metrics, profiler_metrics


class Pages:
    """The routes of one worker.

    Args:
        artifact: the served model.
        directory: of the records.
        service: BentoML's, which generates an OpenAPI document of itself.
        requires_keys: whether callers need a key.
    """

    def __init__(self, artifact: Artifact, directory: Path, service: Any, requires_keys: bool) -> None:
        self._artifact = artifact
        self._directory = directory
        self._service = service
        self._requires_keys = requires_keys

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [
            Route("/", self.index),
            Route("/model", self.model),
            Route("/model/card", self.card),
            Route("/docs.json", self.document),
            Route("/metrics", self.metrics),
        ]

    async def index(self, _: Request) -> Response:
        """`GET /`: the API page."""
        return Response(api_page(title_of(self._artifact)), media_type="text/html")

    async def model(self, _: Request) -> Response:
        """`GET /model`: the served model with its features, threshold and origin."""
        return Response(msgspec.json.encode(self._artifact.describe()), media_type="application/json")

    async def card(self, request: Request) -> Response:
        """`GET /model/card`: the model card as a page or, for `accept: text/markdown`, as Markdown."""
        if "text/markdown" in request.headers.get("accept", ""):
            return Response(self._artifact.card, media_type="text/markdown")
        return Response(self._artifact.card_page, media_type="text/html")

    async def document(self, _: Request) -> Response:
        """`GET /docs.json`: the OpenAPI document behind the API page."""
        document = complete(self._service.openapi_spec.asdict(), self._artifact, self._requires_keys)
        return Response(msgspec.json.encode(document), media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        """`GET /metrics`, where BentoML's own are off."""
        metrics().flush()
        text = await run_in_threadpool(exposition)  # which reads a file per worker
        # Not the newest version, which collectors other than Prometheus refuse: our names need nothing of it.
        return Response(text + profiler_metrics(self._directory), media_type=CONTENT_TYPE_PLAIN_0_0_4)
