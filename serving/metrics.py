"""Prometheus metrics of the scorer, and the two most telling of BentoML's.

BentoML's own middleware takes 0.15 ms per request for its metrics. Where it is off, the responses of `POST /predict`
by status and the sizes of batches are counted here under BentoML's names and labels, so that dashboards find them.

Call `metrics` in the worker only, after BentoML has set the folder in which the workers share their numbers: a metric
that is made earlier loses its samples. Rows, not requests, are counted unless a name says otherwise.
"""

from collections import Counter as Counts
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import bentoml
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from models.errors import CODES
from monitoring.records.proof.chain import newest
from monitoring.status import profiled
from monitoring.watch.files import watched_metrics
from serving.buffered_metrics import BufferedMetrics
from serving.rows import PendingRow

BATCH_BUCKETS_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
QUEUE_BUCKETS_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
LOGGED, UNLOGGED, SQUARES = "logged", "unlogged", "squares"


class Metrics:
    """The metrics of one worker process."""

    def __init__(self) -> None:
        self._predictions = Counter("scorer_predictions_total", "Rows answered", ["model", "decision", "protocol"])
        batch_rows = Histogram("scorer_batch_rows", "Rows in one call of the model", buckets=BATCH_BUCKETS_ROWS)
        queue_seconds = Histogram(
            "scorer_queue_seconds",
            "Wait of the oldest row of a batch, from decoded to scoring",
            buckets=QUEUE_BUCKETS_S,
        )
        self.rejected = Counter("scorer_rejected_total", "Requests refused", ["reason"])
        self.wrong_keys = Counter("scorer_wrong_keys_total", "API keys refused as unknown or expired", ["reason"])
        self.refused_connections = Counter(
            "scorer_refused_connections_total", "Connections refused, as there were too many"
        )
        self.evicted_connections = Counter(
            "scorer_evicted_connections_total", "Connections without a request closed early to make room for new ones"
        )
        self.outcomes = Counter("scorer_outcomes_total", "Outcomes reported, by what became of them", ["result"])
        self.unlogged_explanations = Counter(
            "scorer_unlogged_explanations_total", "Explanations that could not be logged"
        )
        self._buffer = BufferedMetrics()
        self._batch_rows = [self._buffer.add_histogram(batch_rows, BATCH_BUCKETS_ROWS)]
        self._queue_seconds = self._buffer.add_histogram(queue_seconds, QUEUE_BUCKETS_S)
        self._buffer.add_counter(LOGGED, Counter("scorer_logged_rows_total", "Rows in the decision log"))
        self._buffer.add_counter(
            UNLOGGED, Counter("scorer_unlogged_rows_total", "Rows answered that could not be logged")
        )
        self.removed_logs = Counter(
            "scorer_log_removed_total", "Log files that others removed or changed while they were written"
        )
        about = "Sum over the scored requests of their rows, squared"  # rows of a request may be alike: deploy.rollout
        self._buffer.add_counter(SQUARES, Counter("scorer_request_rows_squared_total", about))
        self._known: set[tuple[str, str, str]] = set()
        self._requests: Counter | None = None
        self.flush = self._buffer.flush

    def use_bentoml_names(self) -> None:
        """Count under BentoML's names too, unless its configuration has its own metrics on, whose names they are."""
        context = bentoml.server_context
        here = {"service_name": context.bento_name, "service_version": context.bento_version}
        name, labels = "bentoml_service_request_total", ["endpoint", *here, "http_response_code"]
        try:
            requests = Counter(name, "Total number of HTTP requests", labels)
        except ValueError:  # DuplicateTimeseries: BentoML has made it
            return
        for status in (200, *CODES):
            self._buffer.add_counter(status, requests.labels(endpoint="/predict", http_response_code=status, **here))
        self._requests = requests
        batches = Histogram(
            "bentoml_service_adaptive_batch_size",
            "Service adaptive batch size",
            ["runner_name", "worker_index", "method_name", *here],
            buckets=BATCH_BUCKETS_ROWS,
        ).labels(runner_name=context.service_name, worker_index=context.worker_index, method_name="predict", **here)
        self._batch_rows.append(self._buffer.add_histogram(batches, BATCH_BUCKETS_ROWS))

    def answered(self, status: int) -> None:
        """Count one response of `POST /predict`."""
        if self._requests is not None:
            self._buffer.count(status)

    def observe(
        self,
        model: str,
        pending: Sequence[PendingRow],
        scored: Sequence[tuple[float, str]],
        started_s: float,
        logged: bool,
    ) -> None:
        """Count one scored batch."""
        rows = len(pending)
        for histogram in self._batch_rows:
            histogram.observe(rows)
        self._buffer.count(LOGGED if logged else UNLOGGED, rows)
        oldest_s, request_s, request_rows, squares = started_s, 0.0, 0, 0
        predictions: dict[tuple[str, str, str], int] = {}  # a collections.Counter takes twice as long for one row
        for row, (_, decision) in zip(pending, scored, strict=True):
            labels = (model, decision, row.call.protocol)
            predictions[labels] = predictions.get(labels, 0) + 1
            if row.at_s != request_s:  # the rows of a request were submitted at one moment
                squares += request_rows * request_rows
                request_s, request_rows = row.at_s, 0
                if request_s < oldest_s:
                    oldest_s = request_s
            request_rows += 1
        self._buffer.count(SQUARES, squares + request_rows * request_rows)
        self._queue_seconds.observe(started_s - oldest_s)
        for labels, number in predictions.items():
            if labels not in self._known:
                self._known.add(labels)
                self._buffer.add_counter(labels, self._predictions.labels(*labels))
            self._buffer.count(labels, number)


def exposition() -> str:
    """The numbers of all workers in the Prometheus text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry).decode()


def totals() -> Counts[str]:
    """The numbers of all workers by their names in the text format, summed over labels; reads a file per worker."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    found: Counts[str] = Counts()
    for family in registry.collect():
        for sample in family.samples:
            found[sample.name] += sample.value  # type: ignore[assignment] # a sum of seconds has a fraction
    return found


def profiler_metrics(directory: Path) -> str:
    """What profiler, log and watch have left in files: they are those of no one worker."""
    rows, groups = profiled(directory)
    anchor = newest(directory)
    text = (
        "# HELP scorer_profiled_rows_total Rows in exactly one whylogs profile\n"
        "# TYPE scorer_profiled_rows_total counter\n"
        f"scorer_profiled_rows_total {rows}\n"
        "# HELP scorer_log_anchor Entries in the chain of the decision log, and the hash of the newest\n"
        "# TYPE scorer_log_anchor gauge\n"
        f'scorer_log_anchor{{hash="{anchor.hash}",signed_by="{_escaped(anchor.signed_by)}"}} {anchor.entries}\n'
        "# HELP scorer_group_decisions_total Profiled rows of audited groups\n"
        "# TYPE scorer_group_decisions_total counter\n"
    )
    for count, number in sorted(groups.items()):
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in count._asdict().items())
        text += f"scorer_group_decisions_total{{{labels}}} {number}\n"
    return text + watched_metrics(directory)


def _escaped(value: str) -> str:
    r"""The value of a label in the text format.

    >>> print(_escaped('a "b" \\'))
    a \"b\" \\
    """
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


@cache
def metrics() -> Metrics:
    """The metrics of this process: one instance, as prometheus_client has one registry per process."""
    return Metrics()
