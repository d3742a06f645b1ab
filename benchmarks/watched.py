"""A real Prometheus and a real HAProxy beside a service, on free ports of loopback, for pictures and for tests.

Owns starting both and ending them. Needs Debian's packages prometheus and haproxy.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

START_S, STOP_S = 60, 30
INTERVAL_S = 1
PATH = f"{os.environ['PATH']}:/usr/sbin"
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


class NotStartedError(Exception):
    """A program that is missing, or that ended at its start: which, and what to do or what it said."""


def program(name: str) -> str:
    """The path of an installed program, which has the name of its package."""
    found = shutil.which(name, path=PATH)
    if found is None:
        raise NotStartedError(f"{name} is missing: apt-get install {name}")
    return found


def free_port() -> int:
    """A port of loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Prometheus:
    """One that scrapes the service each second under the names that `deploy/compose` gives to its jobs."""

    def __init__(self, folder: Path, targets: dict[str, int]) -> None:
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
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([program("prometheus"), *arguments, address], stdout=log, stderr=log)

    def wait(self) -> None:
        """Return when it answers queries."""
        deadline = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                return
            time.sleep(0.1)
        raise NotStartedError(f"prometheus does not answer:\n{self._log.read_text()[-2000:]}")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now; fails with what Prometheus says where it is none."""
        question = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{question}", timeout=30) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expression}: {error.read().decode()}") from None
        return found


@contextlib.contextmanager
def watched(folder: Path, service_port: int) -> Iterator[tuple[Prometheus, str]]:
    """Prometheus, and the address at which HAProxy takes requests for the service."""
    port, metrics = free_port(), free_port()
    (folder / "haproxy.cfg").write_text(PROXY.format(port=port, metrics=metrics, service=service_port))
    proxy_command = [program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]
    prometheus = Prometheus(folder, {"scorer": service_port, "haproxy": metrics})
    proxy = subprocess.Popen(proxy_command, stdout=subprocess.DEVNULL)
    try:
        prometheus.wait()
        yield prometheus, f"http://127.0.0.1:{port}"
    finally:
        for process in (prometheus.process, proxy):
            process.terminate()
            process.wait(STOP_S)
