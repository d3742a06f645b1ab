"""Load tests as a person runs them: in .venv-load, which make makes, against services of the tests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT, Server
from tests.test_make import outside_make

LOADED_S = 120  # for a run of some seconds, on a machine with much else to do
LENIENT = 5000  # milliseconds: these tests look at the totals and the words, not at the speed of this machine


@pytest.fixture(scope="session")
def load_python() -> Path:
    """The interpreter of .venv-load."""
    command = ["make", f"PYTHON={sys.executable}", "environment", "load-environment"]
    subprocess.run(command, cwd=ROOT, env=outside_make(), check=True)
    return ROOT / ".venv-load/bin/python"


def slo(folder: Path, latency_ms: float = LENIENT, **changes: Any) -> Path:
    """An objectives file that any machine meets, but for `changes` of its top level."""
    one = {"p50_ms": latency_ms, "p95_ms": latency_ms, "p99_ms": latency_ms, "error_rate": 0.0, "throughput_floor": 0.1}
    classes = dict.fromkeys(("single", "batch", "v2", "grpc", "explain"), one)
    content = {"classes": classes, "regression": 100, "soak_growth": 100, "calibration_change": 10}
    path = folder / "slo.yaml"
    path.write_text(json.dumps(content | changes))  # which is YAML too
    return path


class Run:
    """A load test that has been started.

    Args:
        python: the interpreter.
        server: the service.
        folder: for what it leaves.
        options: of the command line.
        environment: variables beside those of this process.
    """

    def __init__(self, python: Path, server: Server, folder: Path, *options: str, **environment: str) -> None:
        self.out, self.log = folder / "load", folder / "log/load.log"
        given = ["--target", server.url, "--grpc-target", server.grpc, "--out", str(self.out), *options]
        self.process = subprocess.Popen(
            [str(python), "-m", "loadtests", *given],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output and standard error, when it has ended."""
        printed, said = self.process.communicate(timeout=LOADED_S)
        return self.process.returncode, printed, said

    def wait_for_load(self) -> list[psutil.Process]:
        """Wait until users are there; its processes."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if " users " in line and " requests/s " in line:
                return psutil.Process(self.process.pid).children(recursive=True)
        raise AssertionError(f"it ended early: {self.process.wait()}")

    def results(self) -> dict[str, Any]:
        """What it has written."""
        found: dict[str, Any] = json.loads((self.out / "latest/results.json").read_text())
        return found
