"""The waits that workers share, read from the folder of their metrics."""

import subprocess
import sys

from monitoring.report.latency import Latency, latency, metrics_folder

WORKER = """
from prometheus_client import Histogram
waits = Histogram("scorer_queue_seconds", "waits", buckets=(0.001, 0.01, 1.0))
for seconds in (0.0005, 0.0005, 0.005, 2.0):
    waits.observe(seconds)
"""


def test_the_waits_of_all_workers_count_together(tmp_path):
    for _ in range(2):
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", WORKER], env=environment, check=True)
    assert latency(tmp_path) == Latency(batches=8, p50_ms=1.0, p99_ms=None)


def test_without_numbers_nothing_is_told(tmp_path):
    assert latency(tmp_path) is None
    assert latency(tmp_path / "missing") is None


def test_the_folder_is_that_of_the_running_service_or_of_the_last(tmp_path):
    last = {"BENTOML_HOME": str(tmp_path)}
    assert metrics_folder(last) == tmp_path / "prometheus_multiproc_dir"
    assert metrics_folder(last | {"PROMETHEUS_MULTIPROC_DIR": "/run/metrics"}).as_posix() == "/run/metrics"
