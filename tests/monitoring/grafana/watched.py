"""A real Prometheus and a real HAProxy beside a service, on free ports of loopback."""

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import free_port

START_S = 60
INTERVAL_S = 1
MISSING = "{0} is missing: install Debian's package {1}"
PROXY = """
global
    log stdout format raw daemon notice
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend callers
    bind 127.0.0.1:{port}
    default_backend scorers
frontend metrics
    bind 127.0.0.1:{metrics}
    http-request use-service prometheus-exporter
backend scorers
    server one 127.0.0.1:{service}
"""


class Prometheus:
    """One that scrapes the service each second under the names that `deploy/compose` gives to its jobs."""

    def __init__(self, folder: Path, targets: dict[str, int]) -> None:
        program = shutil.which("prometheus")
        assert program, MISSING.format("prometheus", "prometheus")
        self.url = f"http://127.0.0.1:{free_port()}"
        config = {
            "global": {"scrape_interval": f"{INTERVAL_S}s", "scrape_timeout": f"{INTERVAL_S}s"},
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                for job, port in targets.items()
            ],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        arguments = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb"]
        address = f"--web.listen-address={self.url.removeprefix('http://')}"
        with (folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen([program, *arguments, address], stdout=log, stderr=log)

    def ready(self) -> bool:
        """Whether it answers queries."""
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"{self.url}/-/ready", timeout=5).status == 200)
        return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now; fails with what Prometheus says where it is none."""
        question = urllib.parse.urlencode({"query": expression})
        try:
            answer = json.load(urllib.request.urlopen(f"{self.url}/api/v1/query?{question}", timeout=30))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@contextlib.contextmanager
def watched(folder: Path, service_port: int) -> Iterator[tuple[Prometheus, str]]:
    """Prometheus, and the address at which HAProxy takes requests for the service."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, MISSING.format("haproxy", "haproxy")
    port, metrics = free_port(), free_port()
    (folder / "haproxy.cfg").write_text(PROXY.format(port=port, metrics=metrics, service=service_port))
    proxy = subprocess.Popen([program, "-db", "-f", str(folder / "haproxy.cfg")], stdout=subprocess.DEVNULL)
    prometheus = Prometheus(folder, {"scorer": service_port, "haproxy": metrics})
    try:
        deadline = time.monotonic() + START_S
        while not prometheus.ready():
            assert prometheus.process.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < deadline, (folder / "prometheus.log").read_text()
            time.sleep(0.1)
        yield prometheus, f"http://127.0.0.1:{port}"
    finally:
        for process in (prometheus.process, proxy):
            process.terminate()
            process.wait(30)
