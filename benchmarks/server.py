"""One server of a measurement: its processes, on a free loopback port.

Owns its start, readiness and end. Leaves the list of servers to `benchmarks.contenders`.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
START_S, STOP_S = 120, 30
PREDICT = "/predict"
JSON = {"content-type": "application/json"}


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """Starts a server; use it as a context manager, which stops it.

    Args:
        name: its name in the tables.
        command: its program and arguments.
        port: its HTTP port.
        home: its own folder, for records and output.
        variables: additions to its environment.
        ready: the path that returns 200 when it is ready.
        grpc_port: its gRPC port, if any.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        port: int,
        home: Path,
        variables: dict[str, str],
        ready: str = PREDICT,
        grpc_port: int = 0,
    ) -> None:
        self.name, self.port, self.grpc_port, self.url = name, port, grpc_port, f"http://{HOST}:{port}"
        self._ready = ready
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self._log = home / "output.log"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, body: bytes) -> None:
        """Wait until it is ready, or responds to `body`; if it fails, exit with its output."""
        deadline_s = time.monotonic() + START_S
        while not self._answers(body):
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                sys.exit(f"{self.name} did not start:\n{self.printed()}")
            time.sleep(0.1)

    def printed(self) -> str:
        """The last part of its output."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def _answers(self, body: bytes) -> bool:
        request = urllib.request.Request(self.url + self._ready, body if self._ready == PREDICT else None, JSON)
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def predict(self, body: bytes) -> list[float]:
        """The probabilities that it returns for one request."""
        request = urllib.request.Request(self.url + PREDICT, body, JSON)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [prediction["probability"] for prediction in json.load(answer)]
        except urllib.error.HTTPError as error:
            sys.exit(f"{self.name} returned {error.code}: {error.read()[:500]!r}\n{self.printed()}")

    def workers(self) -> list[psutil.Process]:
        """BentoML's worker processes: those that serve requests, without its arbiter and the profiler."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return [
            process for process in below if any("bentoml" in part and "worker" in part for part in process.cmdline())
        ]

    def cpu_s(self) -> float:
        """Processor time of all its processes so far, seconds."""
        main = psutil.Process(self.process.pid)
        return sum(sum(process.cpu_times()[:2]) for process in (main, *main.children(recursive=True)))

    def stop(self) -> None:
        """Send SIGTERM, wait, and kill remaining processes by id: BentoML's workers have their own process groups."""
        below = []
        with contextlib.suppress(psutil.NoSuchProcess):
            below = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()  # does nothing if it has exited
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        self.process.kill()
        self.process.wait()
        for process in psutil.wait_procs(below, timeout=1)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
