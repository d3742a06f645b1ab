"""Scoring one batch: one call of ONNX Runtime, one write to the decision log, then the predictions.

Owns the order of these steps and what a failure of one means. Never raises: an exception would fail every request of
the batch in the framework's own words, so each row gets a prediction or an error.
"""

import time
from collections.abc import Sequence

from models.errors import Unready
from models.prediction import Prediction
from models.scorer import Scorer
from monitoring.records.decision_log import DecisionLog, LogUnavailable
from monitoring.records.lines import Row
from serving.faults import fault
from serving.log_outage import LogOutage
from serving.metrics import Metrics
from serving.rows import PendingRow, Results

UNREADY_S = 60.0  # seconds for which a worker is not ready after its log was removed: several looks of any orchestrator


class ScoringPipeline:
    """Scores batches.

    Args:
        tag: name and version of the model, as predictions and records carry it.
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
        self._outage = LogOutage(score_unlogged)
        self._lost_logs = 0

    @property
    def log_failed(self) -> bool:
        """Whether the last batch could not be logged."""
        return self._outage.active

    def log_was_lost(self) -> bool:
        """Look whether the log is still there; whether others removed or changed it just now, so nobody shall ask."""
        self._log.look()
        self._count_lost_logs()
        return not self._score_unlogged and time.monotonic() - self._log.lost_at_s < UNREADY_S

    def _count_lost_logs(self) -> None:
        if self._log.lost_segments > self._lost_logs:
            self._metrics.removed_logs.inc(self._log.lost_segments - self._lost_logs)
            self._lost_logs = self._log.lost_segments

    def score_batch(self, pending: Sequence[PendingRow]) -> Results:
        """A prediction for each row, in order; the same error for all when the batch was not scored and logged."""
        started_s = time.perf_counter()
        try:
            applicants, calls = [row.applicant for row in pending], [row.call for row in pending]
            scored = self._scorer.score(applicants)
            logged = self._append(
                [
                    Row(call.protocol, probability, decision, row.applicant, call.caller, call.request_id)
                    for row, call, (probability, decision) in zip(pending, calls, scored, strict=True)
                ]
            )
            if not (logged or self._score_unlogged):
                return [Unready("the decision log cannot be written, so nothing is scored")] * len(pending)
            self._metrics.observe(self._tag, pending, scored, started_s, logged)
            return [
                Prediction(applicant.application_id, probability, decision, self._tag)  # type: ignore[attr-defined]
                for applicant, (probability, decision) in zip(applicants, scored, strict=True)
            ]
        except Exception as exception:  # noqa: BLE001 - logged there
            return [fault(f"scoring {len(pending)} rows", exception)] * len(pending)

    def _append(self, rows: Sequence[Row]) -> bool:
        """Log a batch; returns whether that succeeded."""
        try:
            self._log.append(self._tag, rows)
        except LogUnavailable as error:
            self._outage.record_loss(len(rows), error)
            return False
        finally:
            self._count_lost_logs()
        if self._outage.active:
            self._outage.end()
        return True
