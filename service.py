"""The service: one request, top to bottom.

    bytes ─► FrontDoor: limits, decode and validate     serving/http.py, models/request.py
          ─► Batcher:   what has arrived is one batch   serving/batching.py
          ─► Desk:      one ONNX Runtime call, one      serving/scoring.py
                        write to the decision log
          ─► FrontDoor: encode                          serving/http.py
          ─► bytes

A process of its own follows the decision log and profiles it (monitoring/). What is served, its features, limits
and threshold come from the model's artifact; nothing here knows a column.
"""

import gc
import logging
from pathlib import Path
from typing import Any

import bentoml
import msgspec
from bentoml.exceptions import BentoMLException, NotFound
from bentoml.models import BentoModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from configs.monitoring import read_monitoring
from configs.service import read_service
from configs.source import ConfigError
from models.artifact import Artifact, ArtifactError
from models.champion import ALIAS, champion
from models.request import RequestDecoder
from monitoring.decision_log import DecisionLog, LogUnavailable, check_place
from monitoring.status import profiled_rows
from monitoring.supervision import ProfilerProcess
from serving.batching import Batcher
from serving.grpc_server import GrpcServer, read_certificates
from serving.http import FrontDoor
from serving.inference import Inference
from serving.messages import Messages
from serving.metrics import metrics
from serving.openapi import complete
from serving.ports import SharedPort
from serving.rest import RestRoutes
from serving.scoring import Arrival, Desk, Results
from serving.types import request_type, response_type

logger = logging.getLogger("bentoml.scorer")


def load(tag: str) -> Artifact:
    """The verified artifact of `tag`; stops the start with the command that mends it."""
    name, _, version = tag.partition(":")
    try:
        if version == ALIAS:
            version = champion(Path(bentoml.models.get(name).path).parent) or ALIAS
        return Artifact(Path(bentoml.models.get(f"{name}:{version}").path), retrain="make train")
    except NotFound:
        raise BentoMLException(f"no model {tag} in the BentoML store; run: make train") from None
    except ArtifactError as error:
        raise BentoMLException(str(error)) from None


try:
    SETTINGS, MONITORING = read_service(), read_monitoring()
    check_place(Path(MONITORING.directory))
except (ConfigError, LogUnavailable) as mistake:
    raise BentoMLException(str(mistake)) from None
# A bento is built with the argument `model`, the version it was packed with, which then holds wherever it is served.
MODEL = load(getattr(bentoml.use_arguments(), "model", SETTINGS.model))
BATCHER = Batcher(SETTINGS.max_batch_rows, max_queued_rows=SETTINGS.max_rows)
INFERENCE = Inference(MODEL, BATCHER, SETTINGS.max_rows, SETTINGS.timeout_s)
GRPC_PORT = SharedPort(SETTINGS.grpc_host, SETTINGS.grpc_port)


async def describe_model(_: Request) -> Response:
    """`GET /model`: what is served, its features, threshold and origin."""
    return Response(msgspec.json.encode(MODEL.describe()), media_type="application/json")


async def show_card(request: Request) -> Response:
    """`GET /model/card`: the model card, as a page or, to those who accept `text/markdown`, as Markdown."""
    if "text/markdown" in request.headers.get("accept", ""):
        return Response(MODEL.card, media_type="text/markdown")
    return Response(MODEL.card_page, media_type="text/html")


async def describe_api(_: Request) -> Response:
    """`GET /docs.json`: the OpenAPI document behind the page at `/`."""
    return Response(msgspec.json.encode(complete(app.openapi_spec.asdict(), MODEL)), media_type="application/json")


@bentoml.service(
    name="credit_scorer",
    workers=SETTINGS.workers,
    logging={"access": {"enabled": SETTINGS.access_log}},
    traffic={
        "timeout": SETTINGS.timeout_s + 5
    },  # BentoML's words for it would not be the contract's, so ours come first
)
class CreditScorer:
    """Probability of the dataset's event, and the decision that it means, for each applicant."""

    model = BentoModel(MODEL.tag)  # names the model, so that BentoML packs it into the bento

    def __init__(self) -> None:
        directory = Path(MONITORING.directory)
        self.scorer = MODEL.scorer()
        self.log = DecisionLog(directory, MONITORING.segment_bytes)
        self.desk = Desk(MODEL.tag, self.scorer, self.log, metrics())
        self.grpc = GrpcServer(INFERENCE, SETTINGS)
        self.directory = directory
        # One worker looks after the profiler; should it die, the worker that takes its number does.
        self.profiler = ProfilerProcess() if bentoml.server_context.worker_index in (None, 0, 1) else None

    @bentoml.on_deployment
    @staticmethod
    def prepare() -> None:
        """Run once, by the process that starts the workers: what gRPC needs is there, or the start ends here."""
        try:
            Messages()
            read_certificates(SETTINGS)
            GRPC_PORT.take()
        except ConfigError as mistake:
            raise BentoMLException(str(mistake)) from None

    @bentoml.on_startup
    async def warm_up(self) -> None:
        """Run before the first request is let in, so ready means warm."""
        example = msgspec.convert(MODEL.manifest.example, MODEL.schema.row)
        self.scorer.warm_up(example)
        BATCHER.open(self.desk.decide)
        INFERENCE.open(self.__is_ready__)
        if self.profiler:
            self.profiler.start()
        await self.grpc.start()
        gc.collect()
        gc.freeze()  # a full collection goes over all that was imported: 50 to 70 ms in which nobody is answered
        logger.info("serving %s", MODEL.tag)

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Run after the last answer over HTTP: end gRPC, close the log, then let the profiler finish with it."""
        await self.grpc.stop()
        self.log.close()
        if self.profiler:
            self.profiler.stop()

    def __is_ready__(self) -> bool:
        return not self.desk.log_failed or self.log.probe()

    def __metrics__(self, exposition: str) -> str:
        """BentoML's metrics and, read from the profiler's checkpoint, how many rows it has done."""
        return (
            f"{exposition}# HELP scorer_profiled_rows_total Rows in exactly one whylogs profile\n"
            "# TYPE scorer_profiled_rows_total counter\n"
            f"scorer_profiled_rows_total {profiled_rows(self.directory)}\n"
        )

    @bentoml.api(
        batchable=True,
        max_batch_size=SETTINGS.max_batch_rows,
        max_latency_ms=SETTINGS.max_latency_ms,
        input_spec=request_type(MODEL.schema, MODEL.manifest.example, SETTINGS.max_rows),
        output_spec=response_type(),
    )
    async def predict(self, applicants: list[Arrival]) -> Results:
        """Score applicants; answers come in the order asked. One that is invalid refuses its request, and no other."""
        # The definition of the route: over HTTP, `serving.http` answers it, through the same desk.
        return self.desk.decide(applicants)


app: Any = CreditScorer  # BentoML's decorator has made a Service of the class
app.add_asgi_middleware(
    FrontDoor,
    decoder=RequestDecoder(MODEL.schema, SETTINGS.max_rows),
    max_body_bytes=SETTINGS.max_body_bytes,
    batcher=BATCHER,
    timeout_s=SETTINGS.timeout_s,
)
ROUTES = [Route("/model", describe_model), Route("/model/card", show_card), Route("/docs.json", describe_api)]
app.mount_asgi_app(Starlette(routes=ROUTES + RestRoutes(INFERENCE, SETTINGS.max_body_bytes).routes()), path="/")
