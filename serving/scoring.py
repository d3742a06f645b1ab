"""Scoring one batch: one call of ONNX Runtime, one write to the decision log, then the answers.

Owns the order of these steps and what a failure of one means. Never raises: an exception would fail every
request of the batch in the framework's own words, so each row gets a prediction or the error to be told.
"""

import logging
import time
import uuid
from collections.abc import Sequence

from msgspec import Struct

from models.errors import Fault, ScorerError, Unready
from models.prediction import Prediction
from models.scorer import Scorer
from monitoring.records.decision_log import DecisionLog, LogUnavailable
from monitoring.records.lines import Row
from serving.log_outage import Outage
from serving.metrics import Metrics

logger = logging.getLogger("bentoml.scorer")  # below BentoML's, so that it is formatted like every other line


Results = Sequence[Prediction | ScorerError]  # of a batch or request: one for each row, in order


class PendingRow(Struct, frozen=True, gc=False):
    """A valid applicant on the way to a batch.

    Attributes:
        applicant: a row of the schema, with its `application_id`.
        protocol: `http`, `v2` or `grpc`.
        at_s: when its request had been decoded, by `time.perf_counter`.
    """

    applicant: Struct
    protocol: str
    at_s: float


class ScoringPipeline:
    """Where applicants are decided.

    Args:
        tag: name and version of the model, as answers and records carry it.
        scorer: the graph.
        log: the decision log of this process.
        metrics: the counters of this process.
        score_unlogged: whether rows that cannot be logged are answered all the same, and counted.
    """

    def __init__(
        self, tag: str, scorer: Scorer, log: DecisionLog, metrics: Metrics, score_unlogged: bool = False
    ) -> None:
        self._tag = tag
        self._scorer = scorer
        self._log = log
        self._metrics = metrics
        self._score_unlogged = score_unlogged
        self._outage = Outage(score_unlogged)

    @property
    def log_failed(self) -> bool:
        """Whether the last batch could not be logged."""
        return self._outage.lasts

    def decide(self, arrivals: Sequence[PendingRow]) -> Results:
        """A prediction for each arrival, in order; for each the same error when the batch was not scored and logged."""
        started_s = time.perf_counter()
        try:
            applicants = [arrival.applicant for arrival in arrivals]
            scored = self._scorer.score(applicants)
            logged = self._write(
                [
                    Row(arrival.protocol, probability, decision, arrival.applicant)
                    for arrival, (probability, decision) in zip(arrivals, scored, strict=True)
                ]
            )
        except Exception:
            fault_id = uuid.uuid4().hex
            logger.exception("fault %s while scoring %d rows", fault_id, len(arrivals))
            return [Fault(fault_id)] * len(arrivals)
        if not (logged or self._score_unlogged):
            return [Unready("the decision log cannot be written, so nothing is scored")] * len(arrivals)
        self._metrics.observe(self._tag, arrivals, scored, started_s, logged)
        return [
            Prediction(applicant.application_id, probability, decision, self._tag)  # type: ignore[attr-defined]
            for applicant, (probability, decision) in zip(applicants, scored, strict=True)
        ]

    def _write(self, rows: Sequence[Row]) -> bool:
        """Log a batch; whether that has worked."""
        try:
            self._log.append(self._tag, rows)
        except LogUnavailable as error:
            self._outage.lost(len(rows), error)
            return False
        if self._outage.lasts:
            self._outage.over()
        return True
