"""Scoring one batch: one call of ONNX Runtime, one write to the decision log, its sync if wanted, then the predictions.

Owns the order of these steps and what a failure of one means. Never raises: an exception would fail every request of
the batch in the framework's own words, so each row gets a prediction or an error.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor

from models.deciding import Decision
from models.errors import Unready
from models.points import Points
from models.prediction import Prediction, ScoredPrediction
from models.scorer import Scorer
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_place import LogUnavailable
from serving.faults import fault
from serving.log_outage import LogOutage
from serving.metrics import Metrics
from serving.rows import PendingRow, Results

UNREADY_S = 60.0  # seconds for which a worker is not ready after its log was removed: several looks of any orchestrator
Scored = Sequence[tuple[float, Decision]]


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
        scale = scorer.schema.dataset.score
        self._points = Points(scale) if scale else None
        self._outage = LogOutage(score_unlogged)
        self._lost_logs = 0
        self._syncing = ThreadPoolExecutor(1, "group-commit")  # has no thread before the first sync

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
            scored = self._scorer.score([row.applicant for row in pending])
            logged = self._append(pending, scored)
            if logged and self._outage.active:
                self._outage.end()
            return self._answer(pending, scored, logged, started_s)
        except Exception as exception:  # noqa: BLE001 - logged there
            return [fault(f"scoring {len(pending)} rows", exception)] * len(pending)

    def score_batch_durably(self, pending: Sequence[PendingRow]) -> Coroutine[None, None, Results]:
        """Score and log a batch now; what is returned waits until it is on disk, and gives what `score_batch` gives."""
        started_s = time.perf_counter()
        try:
            scored = self._scorer.score([row.applicant for row in pending])
            logged = self._append(pending, scored)
        except Exception as exception:  # noqa: BLE001 - logged there
            return _given([fault(f"scoring {len(pending)} rows", exception)] * len(pending))
        return self._answer_durably(pending, scored, logged, started_s)

    async def _answer_durably(
        self, pending: Sequence[PendingRow], scored: Scored, logged: bool, started_s: float
    ) -> Results:
        try:
            logged = logged and await self._sync(len(pending))
            if logged and self._outage.active:
                self._outage.end()
            return self._answer(pending, scored, logged, started_s)
        except Exception as exception:  # noqa: BLE001 - logged there
            return [fault(f"scoring {len(pending)} rows", exception)] * len(pending)

    def _append(self, pending: Sequence[PendingRow], scored: Scored) -> bool:
        """Log a batch; returns whether that succeeded."""
        calls = [row.call for row in pending]
        rows = [
            Row(call.protocol, probability, decision, row.applicant, call.caller, call.request_id)
            for row, call, (probability, decision) in zip(pending, calls, scored, strict=True)
        ]
        try:
            self._log.append(self._tag, rows)
        except LogUnavailable as error:
            self._outage.record_loss(len(rows), error)
            return False
        finally:
            self._count_lost_logs()
        return True

    async def _sync(self, rows: int) -> bool:
        """Wait until what is logged is on disk; returns whether that succeeded."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._syncing, self._log.sync)
        except LogUnavailable as error:
            self._outage.record_loss(rows, error)
            return False
        return True

    def _answer(self, pending: Sequence[PendingRow], scored: Scored, logged: bool, started_s: float) -> Results:
        if not (logged or self._score_unlogged):
            return [Unready("the decision log cannot be written, so nothing is scored")] * len(pending)
        self._metrics.observe(self._tag, pending, scored, started_s, logged)
        if self._points is not None:
            scores = self._points.scores([probability for probability, _ in scored])
            return [
                ScoredPrediction(row.applicant.application_id, probability, decision, self._tag, score)  # type: ignore[attr-defined]
                for row, (probability, decision), score in zip(pending, scored, scores, strict=True)
            ]
        return [
            Prediction(row.applicant.application_id, probability, decision, self._tag)  # type: ignore[attr-defined]
            for row, (probability, decision) in zip(pending, scored, strict=True)
        ]


async def _given(results: Results) -> Results:
    return results
