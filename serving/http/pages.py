"""Pages to read: API page and document, model and card, report and console, and metrics where BentoML's own are off.

Owns the routes. Leaves what a page says to its own module; the report is a file that another process writes.
"""

from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.artifact import Artifact
from models.errors import Unready
from monitoring.report.document import served
from monitoring.report.place import FIGURES, FOLDER, INDEX
from serving.error_responses import guarded
from serving.http.api_page import api_page
from serving.http.console.page import console, console_policy
from serving.http.openapi import complete, title_of
from serving.metrics import exposition, metrics, profiler_metrics

FRESH = {"cache-control": "no-store"}  # figures of people: no browser or proxy keeps them
POLICY = "content-security-policy"


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
            Route("/monitor", guarded(self.monitor)),
            Route("/console", self.console),
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

    async def monitor(self, request: Request) -> Response:
        """`GET /monitor`: the newest report as a page or, for `accept: application/json`, its figures."""
        wants_json = "application/json" in request.headers.get("accept", "")
        content = await run_in_threadpool(read_report, self._directory, FIGURES if wants_json else INDEX)
        if wants_json:
            return Response(content, media_type="application/json", headers=FRESH)
        return Response(content, media_type="text/html", headers=FRESH | {POLICY: served()})

    async def console(self, request: Request) -> Response:
        """`GET /console`: the page for people or, for `accept: application/json`, what its form is made from."""
        described = self._artifact.describe()
        if "application/json" in request.headers.get("accept", ""):
            return Response(msgspec.json.encode(described), media_type="application/json", headers=FRESH)
        return Response(console(described), media_type="text/html", headers=FRESH | {POLICY: console_policy()})

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


def read_report(directory: Path, name: str) -> bytes:
    """A file of the newest report; raises `Unready` where there is none."""
    try:
        return (directory / FOLDER / name).read_bytes()
    except OSError as error:
        reason = f"the report cannot be read ({error.strerror})"
        if isinstance(error, FileNotFoundError):
            reason = "there is no report yet: it is written every minute, and by python -m monitoring report"
        raise Unready(reason) from None
