"""The service: the two paths of a request, which meet at the batcher.

    HTTP, port 3000                                                   gRPC, port 3001
      │  the connection: limits, deadlines        serving/http          │  serving/v2
      ▼                                                                 ▼
    ScorerProtocol ────────► BentoML's tracing, access log, timeout   GrpcCalls
      │ POST /predict,  else   ▼                                        │
      │ /v2/.../infer         CORS, if configured                       │
      │                       AccessMiddleware    serving/access      GrpcAccess
      │                        ▼                                        │
      │                       PredictMiddleware, ResponseShaper         │
      │                        ▼                                        │
      │                       BentoML's routes, /explain, /v2, pages    │
      ▼                        ▼                                        ▼
    Batcher.submit        what arrives together becomes one batch     serving/batching.py
    ScoringPipeline       one ONNX Runtime call, one write to the     serving/scoring.py
                          decision log

Both paths call the same functions: AccessPolicy, an Endpoint that decodes and encodes, and for errors serving/faults.py
and serving/error_responses.py. Other processes profile the log and watch. The artifact says all about the model.
"""

from monitoring.records.log_place import LogUnavailable, check_place
from serving.usage_reports import stop_usage_reports

stop_usage_reports()  # before the imports below: ONNX Runtime reports as soon as it is imported

import os
from pathlib import Path
from typing import Any

import bentoml
import msgspec
from bentoml.exceptions import BentoMLException
from bentoml.models import BentoModel

from configs.monitoring import read_monitoring
from configs.service import read_service
from configs.source import ConfigError
from models.request import RequestDecoder
from monitoring.json_logging import log_as_json
from monitoring.records.audits import write_audits
from monitoring.records.decision_log import DecisionLog
from monitoring.records.log_keys import configured_keys
from monitoring.records.models_archive import keep_model
from monitoring.records.private import tighten
from monitoring.watch.children import Children
from serving.access.authenticator import Authenticator
from serving.access.middleware import AccessMiddleware, AccessPolicy
from serving.announcement import announce
from serving.batching import Batcher
from serving.housekeeping import keep_house
from serving.http.bentoml_stack import CrossOriginMiddleware, cross_origin, mount
from serving.http.connection_settings import connection_settings, register
from serving.http.descriptors import prepare_descriptors
from serving.http.endpoint import Endpoint
from serving.http.explain import ExplainEndpoint
from serving.http.explanation_record import ExplanationRecord
from serving.http.feedback import FeedbackEndpoint
from serving.http.pages import Pages
from serving.http.predict import PREDICT, PredictEndpoint, PredictMiddleware, answer_routed
from serving.http.protocol import ScorerProtocol
from serving.http.route_types import request_type, response_type
from serving.memory import HUGE_PAGES
from serving.metrics import metrics, profiler_metrics
from serving.model_loading import load
from serving.parent import end_with_parent, open_parent_pipe
from serving.process_control import keep_processes_private
from serving.request_ids import request_id
from serving.scoring import ScoringPipeline
from serving.shutdown import Shutdown, kill_after_s
from serving.start_folders import claim_metrics_folder, require_folders
from serving.tracing import tracing
from serving.v2.open_inference import OpenInference

# Everything that follows from settings, environment and artifact; `CreditScorer` adds what belongs to one worker.
try:
    SETTINGS, MONITORING = read_service(), read_monitoring()
    LOG_KEYS = configured_keys(MONITORING, os.environ)
    SCORE_UNLOGGED = MONITORING.when_log_fails == "score"
    DIRECTORY = Path(MONITORING.directory)
    if not SCORE_UNLOGGED:
        check_place(DIRECTORY)
    AUTHENTICATOR = Authenticator(Path(SETTINGS.keys_file) if SETTINGS.keys_file else None, SETTINGS.workers)
except (ConfigError, LogUnavailable) as error:
    raise BentoMLException(str(error)) from None
# A bento is built with the argument `model`, the version packed with it, which then holds wherever it is served.
MODEL = load(getattr(bentoml.use_arguments(), "model", SETTINGS.model), SETTINGS.model_signed_by)
ACCESS = AccessPolicy(AUTHENTICATOR, SETTINGS.open_to_network, SETTINGS.hosts, SETTINGS.origins)
DECODER = RequestDecoder(MODEL.schema, SETTINGS.max_rows)
BATCHER = Batcher(SETTINGS.max_batch_rows, SETTINGS.max_rows, SETTINGS.max_queue_ms / 1000)
EXPLAIN = ExplainEndpoint(MODEL, DIRECTORY, SETTINGS, LOG_KEYS)
OPEN_INFERENCE = OpenInference(MODEL, BATCHER, SETTINGS, AUTHENTICATOR)
ENDPOINT = PredictEndpoint(DECODER, BATCHER)
ENDPOINTS: dict[bytes, Endpoint] = {PREDICT.encode(): ENDPOINT, **OPEN_INFERENCE.endpoints()}
CONNECTIONS = connection_settings(SETTINGS, ENDPOINTS, ACCESS)
SHUTDOWN = Shutdown(SETTINGS.grace_s)
claim_metrics_folder()


@bentoml.service(
    name="credit_scorer",
    workers=SETTINGS.workers,
    http={"host": SETTINGS.host, **cross_origin(SETTINGS.origins)},  # the host where no --host is given
    logging={"access": {"enabled": SETTINGS.access_log}},
    metrics={"enabled": SETTINGS.bentoml_metrics},
    tracing=tracing(SETTINGS),
    envs=[HUGE_PAGES],
    traffic={"timeout": SETTINGS.timeout_s + 1},  # ours comes first: BentoML's message is not the contract's
)
class CreditScorer:
    """Probability of the dataset's event, and the decision that follows from it, for each applicant."""

    model = BentoModel(MODEL.tag)  # a class attribute, so that BentoML packs the model into the bento

    @bentoml.on_deployment
    @staticmethod
    def configure_logging() -> None:
        """Run in the process that starts the workers, and in each worker."""
        if SETTINGS.log_format == "json":
            log_as_json(request_id)

    @bentoml.on_deployment
    @staticmethod
    def prepare_workers() -> None:
        """Run once in the process that starts them: close records to others; try what is needed, or stop."""
        require_folders()
        prepare_descriptors()
        tighten(DIRECTORY)
        OPEN_INFERENCE.prepare()
        open_parent_pipe()
        keep_processes_private(kill_after_s(SETTINGS.grace_s))

    def __init__(self) -> None:
        self.configure_logging()
        self.scorer = MODEL.encoded_scorer()
        self.log = DecisionLog.of(MONITORING, LOG_KEYS, begin=not SCORE_UNLOGGED)
        if not SETTINGS.bentoml_metrics:
            metrics().use_bentoml_names()
        self.pipeline = ScoringPipeline(MODEL.tag, self.scorer, self.log, metrics(), SCORE_UNLOGGED)
        self.children = Children(bentoml.server_context.worker_index, MONITORING.watch_every_s)

    @bentoml.on_startup
    async def warm_up(self) -> None:
        """Run before the first request is admitted, so ready means warm."""
        example = msgspec.convert(MODEL.manifest.example, MODEL.schema.row)
        self.scorer.warm_up(example)
        EXPLAIN.open(example, ExplanationRecord(MODEL.tag, MONITORING, LOG_KEYS))
        BATCHER.open(self.pipeline.score_batch, self.pipeline.score_batch_durably if self.log.syncs_batches else None)
        AUTHENTICATOR.watch()
        write_audits(DIRECTORY, MODEL.tag, MODEL.schema.dataset.audit)  # before this worker logs a row
        keep_model(MONITORING, MODEL)  # likewise
        self.children.start()
        await OPEN_INFERENCE.start(self.__is_ready__)
        SHUTDOWN.watch(OPEN_INFERENCE.begin_to_stop, ScorerProtocol.end_all_in)
        end_with_parent(OPEN_INFERENCE.stop_at_once)
        keep_house(ScorerProtocol.census)
        announce(MODEL, SETTINGS, AUTHENTICATOR.requires_keys)

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Run after the last answer over HTTP: end gRPC, close the log, then let the profiler finish with it."""
        await OPEN_INFERENCE.stop(SHUTDOWN.requests_s)
        EXPLAIN.close()
        metrics().flush()
        self.log.close()
        self.children.stop(SHUTDOWN.left_s)

    def __is_ready__(self) -> bool:
        if self.pipeline.log_was_lost():
            return False
        return (self.log.is_open and not self.pipeline.log_failed) or self.log.probe()

    def __metrics__(self, text: str) -> str:
        return text + profiler_metrics(DIRECTORY)

    @bentoml.api(
        batchable=True,
        max_batch_size=SETTINGS.max_batch_rows,
        max_latency_ms=SETTINGS.max_queue_ms,
        input_spec=request_type(MODEL.schema, MODEL.manifest.example, SETTINGS.max_rows),
        output_spec=response_type(MODEL.schema),
    )
    async def predict(self, applicants: list[Any]) -> list[Any]:
        """Score applicants; predictions come in the order asked. An invalid one refuses its request, and no other."""
        # Documents the route; answers it, for bodies that were validated, with `fast_path: false` alone.
        return await answer_routed(applicants, DECODER, BATCHER)


app: Any = CreditScorer  # which BentoML's decorator has made a Service
app.add_asgi_middleware(CrossOriginMiddleware, origins=ACCESS.origins)
app.add_asgi_middleware(AccessMiddleware, policy=ACCESS)
app.add_asgi_middleware(PredictMiddleware, endpoint=ENDPOINT, connections=CONNECTIONS, ask_route=not SETTINGS.fast_path)
ROUTES = [EXPLAIN.route(), FeedbackEndpoint(SETTINGS, MONITORING, LOG_KEYS).route(), *OPEN_INFERENCE.routes()]
mount(app, [*Pages(MODEL, DIRECTORY, app, AUTHENTICATOR.requires_keys).routes(), *ROUTES], MODEL.tag)
register()
