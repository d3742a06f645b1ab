"""The record of explanations that were given, written before their answer leaves.

Owns what a failure of that log means, by `when_log_fails` as for decisions. Leaves to others: what is recorded
(`monitoring.records.explanations`), and writing it (`monitoring.records.decision_log`).
"""

from collections.abc import Sequence
from pathlib import Path

from configs.monitoring import Monitoring
from models.errors import Unready
from models.explanation import Explanation
from monitoring.records.decision_log import DecisionLog
from monitoring.records.explanations import rows_of
from monitoring.records.log_keys import LogKeys
from monitoring.records.log_place import LogUnavailable
from monitoring.records.segments import explanations_directory
from serving.calls import Call
from serving.log_outage import LogOutage
from serving.metrics import metrics


class ExplanationRecord:
    """The log of explanations of one worker.

    Args:
        model: name and version of the model that is explained.
        settings: where records are kept, and what a failure means.
        keys: to encrypt the log with.
    """

    def __init__(self, model: str, settings: Monitoring, keys: LogKeys) -> None:
        directory = explanations_directory(Path(settings.directory))
        # Its first segment begins with the first explanation.
        self._log = DecisionLog(
            directory,
            settings.segment_bytes,
            settings.segment_s,
            keys,
            begin=False,
            sync=settings.sync,
            sync_interval_ms=settings.sync_interval_ms,
        )
        self._model = model
        self._answer_unlogged = settings.when_log_fails == "score"
        self._outage = LogOutage(self._answer_unlogged)
        self._lost_logs = 0

    def write(self, explanations: Sequence[Explanation], call: Call) -> None:
        """Record what one request is told, in a thread that may wait for the disk.

        Raises:
            Unready: that fails, and an explanation may not be given without a record.
        """
        try:
            self._log.append(self._model, rows_of(explanations, call.protocol, call.caller, call.request_id))
            if self._log.syncs_batches:
                self._log.sync()
        except LogUnavailable as error:
            self._outage.record_loss(len(explanations), error)
            metrics().unlogged_explanations.inc(len(explanations))
            if not self._answer_unlogged:
                raise Unready("the log of explanations cannot be written, so nothing is explained") from None
            return
        finally:
            self._count_lost_logs()
        if self._outage.active:
            self._outage.end()

    def _count_lost_logs(self) -> None:
        if self._log.lost_segments > self._lost_logs:
            metrics().removed_logs.inc(self._log.lost_segments - self._lost_logs)
            self._lost_logs = self._log.lost_segments

    def close(self) -> None:
        """Close the log."""
        self._log.close()
