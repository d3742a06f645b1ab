"""Prometheus metrics of the scorer, beside BentoML's own.

Call `metrics` in the worker only, after BentoML has said where the workers share their numbers: a metric that
is made earlier loses its samples. Rows, not requests, are counted unless a name says otherwise.
"""

from collections import Counter as Tally
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from serving.scoring import Arrival

BATCH_BUCKETS_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
QUEUE_BUCKETS_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


class Metrics:
    """The metrics of one worker process."""

    def __init__(self) -> None:
        self.predictions = Counter("scorer_predictions_total", "Rows answered", ["model", "decision", "protocol"])
        self.batch_rows = Histogram("scorer_batch_rows", "Rows in one call of the model", buckets=BATCH_BUCKETS_ROWS)
        self.queue_seconds = Histogram(
            "scorer_queue_seconds",
            "Wait of the oldest row of a batch, from decoded to scoring",
            buckets=QUEUE_BUCKETS_S,
        )
        self.rejected = Counter("scorer_rejected_total", "Requests refused", ["reason"])
        self.logged_rows = Counter("scorer_logged_rows_total", "Rows in the decision log")
        self.unlogged_rows = Counter("scorer_unlogged_rows_total", "Rows answered that could not be logged")

    def observe(
        self,
        model: str,
        arrivals: Sequence["Arrival"],
        scored: Sequence[tuple[float, str]],
        started_s: float,
        logged: bool,
    ) -> None:
        """Count one batch that was answered."""
        self.batch_rows.observe(len(arrivals))
        self.queue_seconds.observe(started_s - min(arrival.at_s for arrival in arrivals))
        (self.logged_rows if logged else self.unlogged_rows).inc(len(arrivals))
        outcomes = Tally((decision, arrival.protocol) for arrival, (_, decision) in zip(arrivals, scored, strict=True))
        for (decision, protocol), rows in outcomes.items():
            self.predictions.labels(model, decision, protocol).inc(rows)


@cache
def metrics() -> Metrics:
    """The metrics of this process; prometheus_client has one registry a process, so there is one of these."""
    return Metrics()
