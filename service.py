"""The service: one request, top to bottom.

    bytes ─► AccessMiddleware:      who may call                    serving/access/middleware.py, serving/access
          ─► PredictMiddleware: limits, decode and validate     serving/http/predict.py, models/request.py
          ─► Batcher:   what has arrived is one batch   serving/batching.py
          ─► ScoringPipeline:      one ONNX Runtime call, one      serving/scoring.py
                        write to the decision log
          ─► PredictMiddleware: encode                          serving/http/predict.py
          ─► bytes

A process of its own follows the decision log and profiles it (monitoring/). What is served, its features, limits
and threshold come from the model's artifact; nothing here knows a column.
"""

import logging
import os
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bentoml
import msgspec
from bentoml.exceptions import BentoMLException, NotFound
from bentoml.models import BentoModel
from starlette.applications import Starlette
from starlette.routing import Route

from configs.monitoring import read_monitoring
from configs.service import read_service
from configs.source import ConfigError
from models.artifact import Artifact, ArtifactError
from models.champion import ALIAS, champion
from models.errors import ScorerError
from models.request import RequestDecoder
from monitoring.json_logging import log_as_json
from monitoring.profiles.supervision import ProfilerProcess
from monitoring.records.decision_log import DecisionLog, LogUnavailable, check_place
from monitoring.records.log_keys import log_keys_from
from serving.access import Authenticator
from serving.access.middleware import AccessMiddleware
from serving.batching import Batcher
from serving.gc_tuning import tune_gc
from serving.http.explain import ExplainEndpoint
from serving.http.fast_path import FastPathMiddleware
from serving.http.header_limit import install_header_limit
from serving.http.pages import Pages
from serving.http.predict import PredictMiddleware
from serving.http.route_types import request_type, response_type
from serving.metrics import metrics, profiled_rows_metric
from serving.request_ids import request_id
from serving.scoring import PendingRow, ScoringPipeline
from serving.tracing import tracing
from serving.v2.open_inference import OpenInference

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
    SETTINGS, MONITORING, LOG_KEYS = read_service(), read_monitoring(), log_keys_from(os.environ)
    SCORE_UNLOGGED = MONITORING.when_log_fails == "score"
    if not SCORE_UNLOGGED:
        check_place(Path(MONITORING.directory))
    AUTHENTICATOR = Authenticator(Path(SETTINGS.keys_file) if SETTINGS.keys_file else None, SETTINGS.workers)
except (ConfigError, LogUnavailable) as mistake:
    raise BentoMLException(str(mistake)) from None
# A bento is built with the argument `model`, the version it was packed with, which then holds wherever it is served.
MODEL = load(getattr(bentoml.use_arguments(), "model", SETTINGS.model))
DIRECTORY = Path(MONITORING.directory)
DECODER = RequestDecoder(MODEL.schema, SETTINGS.max_rows)
# Memory in pages of 2 MB where the C library is glibc: looking up small ones took a tenth of a worker's time.
HUGE_PAGES = {"name": "GLIBC_TUNABLES", "value": "glibc.malloc.hugetlb=1"}
BATCHER = Batcher(SETTINGS.max_batch_rows, SETTINGS.max_rows, SETTINGS.max_queue_ms / 1000)
EXPLAINER = ExplainEndpoint(MODEL, DIRECTORY, SETTINGS, LOG_KEYS)
OPEN_INFERENCE = OpenInference(MODEL, BATCHER, SETTINGS, AUTHENTICATOR)


@bentoml.service(
    name="credit_scorer",
    workers=SETTINGS.workers,
    http={"host": SETTINGS.host},  # where no --host is given
    logging={"access": {"enabled": SETTINGS.access_log}},
    metrics={"enabled": SETTINGS.bentoml_metrics},
    tracing=tracing(SETTINGS),
    envs=[HUGE_PAGES],
    # BentoML's words for a timeout would not be the contract's, so ours come first.
    traffic={"timeout": SETTINGS.timeout_s + 1},
)
class CreditScorer:
    """Probability of the dataset's event, and the decision that it means, for each applicant."""

    model = BentoModel(MODEL.tag)  # names the model, so that BentoML packs it into the bento

    @bentoml.on_deployment
    @staticmethod
    def speak() -> None:
        """Run once, in the process that starts the workers, and by each of these."""
        if SETTINGS.log_format == "json":
            log_as_json(request_id)

    @bentoml.on_deployment
    @staticmethod
    def take_port() -> None:
        """Run once, in the process that starts the workers: what gRPC needs is there, or the start ends here."""
        OPEN_INFERENCE.prepare()

    def __init__(self) -> None:
        self.speak()
        self.scorer = MODEL.encoded_scorer()
        self.log = DecisionLog(
            DIRECTORY, MONITORING.segment_bytes, MONITORING.segment_s, LOG_KEYS, begin=not SCORE_UNLOGGED
        )
        if not SETTINGS.bentoml_metrics:
            metrics().stand_in()
        self.desk = ScoringPipeline(MODEL.tag, self.scorer, self.log, metrics(), SCORE_UNLOGGED)
        # One worker looks after the profiler; should it die, the worker that takes its number does.
        self.profiler = ProfilerProcess() if bentoml.server_context.worker_index in (None, 0, 1) else None

    @bentoml.on_startup
    async def warm_up(self) -> None:
        """Run before the first request is let in, so ready means warm."""
        example = msgspec.convert(MODEL.manifest.example, MODEL.schema.row)
        self.scorer.warm_up(example)
        EXPLAINER.open(example)
        BATCHER.open(self.desk.decide)
        AUTHENTICATOR.watch()
        install_header_limit()
        if self.profiler:
            self.profiler.start()
        await OPEN_INFERENCE.start(self.__is_ready__)
        tune_gc()
        logger.info("serving %s", MODEL.tag)

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Run after the last answer over HTTP: end gRPC, close the log, then let the profiler finish with it."""
        await OPEN_INFERENCE.stop()
        EXPLAINER.close()
        metrics().pass_on()
        self.log.close()
        if self.profiler:
            self.profiler.stop()

    def __is_ready__(self) -> bool:
        return (self.log.is_open and not self.desk.log_failed) or self.log.probe()

    def __metrics__(self, text: str) -> str:
        return text + profiled_rows_metric(DIRECTORY)

    @bentoml.api(
        batchable=True,
        max_batch_size=SETTINGS.max_batch_rows,
        max_latency_ms=SETTINGS.max_queue_ms,
        input_spec=request_type(MODEL.schema, MODEL.manifest.example, SETTINGS.max_rows),
        output_spec=response_type(),
    )
    async def predict(self, applicants: list[Any]) -> list[Any]:
        """Score applicants; answers come in the order asked. One that is invalid refuses its request, and no other."""
        # The definition of the route. With `lane: true` serving.http.predict answers it, by the same steps; otherwise
        # this does, on bodies that were found valid there.
        now_s = time.perf_counter()
        results = self.desk.decide([PendingRow(row, "http", now_s) for row in DECODER.convert(applicants)])
        failed = next((result for result in results if isinstance(result, ScorerError)), None)
        if failed is not None:
            raise BentoMLException(failed.message, error_code=HTTPStatus(failed.status))
        return [msgspec.to_builtins(result) for result in results]


app: Any = CreditScorer  # BentoML's decorator has made a Service of the class
if SETTINGS.uses_fast_path:
    app.add_asgi_middleware(FastPathMiddleware)
app.add_asgi_middleware(AccessMiddleware, authenticator=AUTHENTICATOR, open_to_network=SETTINGS.open_to_network)
app.add_asgi_middleware(
    PredictMiddleware,
    decoder=DECODER,
    max_body_bytes=SETTINGS.max_body_bytes,
    batcher=BATCHER,
    timeout_s=SETTINGS.timeout_s,
    lane=SETTINGS.lane,
)
PAGES = Pages(MODEL, DIRECTORY, app, AUTHENTICATOR.requires_keys)
EXPLAIN = Route("/explain", EXPLAINER.answer, methods=["POST"])
app.mount_asgi_app(Starlette(routes=[*PAGES.routes(), EXPLAIN, *OPEN_INFERENCE.routes()]), path="/")
