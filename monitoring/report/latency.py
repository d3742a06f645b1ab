"""How long requests wait in a worker before they are scored, by the metrics that the workers share.

Owns: quantiles of a histogram. Leaves the histogram to the service: `scorer_queue_seconds`, since it started. The
folder is the one that BentoML empties at each start, so after a stop it has the numbers of the last run.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

NAME = "scorer_queue_seconds_bucket"
ENVIRONMENT = "PROMETHEUS_MULTIPROC_DIR"  # of the workers, and of what they start


class Latency(Struct, frozen=True):
    """Milliseconds that batches waited; each is an upper bound, by the buckets of the histogram; None beyond them."""

    batches: int
    p50_ms: float | None
    p99_ms: float | None


def metrics_folder(environment: Mapping[str, str]) -> Path:
    """Where the workers share their numbers."""
    home = Path(environment.get("BENTOML_HOME") or Path.home() / "bentoml")
    return Path(environment.get(ENVIRONMENT) or home / "prometheus_multiproc_dir")


def latency(folder: Path) -> Latency | None:
    """The waits of all workers; None where nothing was scored, or no numbers are shared."""
    if not folder.is_dir() or not any(folder.glob("*.db")):
        return None
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    buckets: Counter[float] = Counter()
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == NAME:
                buckets[float(sample.labels["le"])] += int(sample.value)
    total = buckets.get(float("inf"), 0)
    if not total:
        return None
    return Latency(total, *(quantile_ms(buckets, share) for share in (0.5, 0.99)))


def quantile_ms(buckets: Mapping[float, int], share: float) -> float | None:
    """The bound that this share of the waits does not exceed, by cumulative counts by bound in seconds.

    >>> quantile_ms({0.001: 5, 0.01: 9, float("inf"): 10}, 0.5), quantile_ms({0.001: 5, float("inf"): 10}, 0.99)
    (1.0, None)
    """
    wanted = share * buckets[float("inf")]
    bound = next(bound for bound in sorted(buckets) if buckets[bound] >= wanted)
    return None if bound == float("inf") else round(bound * 1000, 3)
