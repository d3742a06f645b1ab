"""A deployment of the test's own, driven by the real command line, and clients that count what comes back."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from configs.rollout import ROLLOUT_YAML
from deploy.rollout import processes
from tests.conftest import ROOT, free_port
from tests.torture.conftest import say, size

__all__ = ["say", "size"]

HERE = Path(__file__).parent
COMMAND_S = 120
# Steps of a second instead of minutes.
QUICK = {"steps": [25, 100], "step_s": 0.5, "least_requests": 20, "most_step_s": 60, "interval_s": 0.1}


class Deployed:
    """One deployment: `run` calls `python -m deploy`; what it started ends with the test.

    Args:
        environment: of the commands.
        settings: changes of configs/rollout.yaml.
    """

    def __init__(self, environment: dict[str, str], settings: dict[str, Any]) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rollout"))  # short: the path of a socket may not be long
        self.environment = environment | {"PYTHONPATH": str(ROOT)}
        self.port, self.grpc_port = free_port(), free_port()
        self.config = self.directory / "rollout.yaml"
        self.settings = yaml.safe_load(ROLLOUT_YAML.read_text())
        self.settings |= {"port": self.port, "grpc_port": self.grpc_port, "directory": str(self.directory)} | settings
        self.configure()

    def configure(self, **settings: Any) -> None:
        """Change the file."""
        self.settings |= settings
        self.config.write_text(yaml.safe_dump(self.settings))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        command = [sys.executable, "-m", "deploy", *arguments, "--config", str(self.config)]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=COMMAND_S)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def done(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command that prints JSON; return it."""
        result = self.run(*arguments, "--json")
        assert result.returncode == code, result.stdout + result.stderr
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    def status(self) -> dict[str, Any]:
        """What `status --json` prints, whatever its exit code."""
        document: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return document

    def weights(self) -> dict[str, int]:
        """HAProxy's weights by version."""
        return {one["version"]: one["weight"] for one in self.status()["instances"]}

    def processes(self) -> list[psutil.Process]:
        """Every process of this deployment."""
        folders = [self.directory / "haproxy", *(self.directory / "instances").glob("*")]
        return [process for folder in folders for process in processes.of(folder)]

    def end(self) -> None:
        """Stop what is left, without the program under test."""
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)  # a killed process may be writing its last line

    @contextlib.contextmanager
    def traffic(self, bodies: list[bytes], rate: float) -> Iterator[dict[str, int]]:
        """Clients during the block; what came back is in the dictionary after it."""
        file = self.directory / "bodies"
        file.write_bytes(b"\n".join(bodies))
        seen: dict[str, int] = {}
        process = subprocess.Popen(
            [sys.executable, str(HERE / "traffic.py"), str(self.port), str(rate), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield seen
        finally:
            out, _ = process.communicate(timeout=60)
            seen |= json.loads(out)


def failed(seen: dict[str, int]) -> dict[str, int]:
    """What clients saw beside answers with 200."""
    harmless = ("sent", "200", "slowest_ms")
    return {what: number for what, number in seen.items() if what not in harmless and not what.startswith("model ")}


def until(true: Any, within_s: float = 60) -> None:
    """Wait until it is."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def standins() -> Iterator[Deployed]:
    """A deployment whose instances are `standin.py`, with quick steps."""
    deployed = Deployed(
        dict(os.environ),
        {
            "command": ["{bin}/python", str(HERE / "standin.py"), "{version}", "{port}"],
            "canary": QUICK,
            "grpc_port": 0,
            "warm_up_requests": 3,
            "ready_s": 20,
        },
    )
    yield deployed
    deployed.end()


@pytest.fixture(scope="session")
def people() -> list[bytes]:
    """Bodies for the stand-in, of two groups."""
    return [
        json.dumps({"applicants": [{"group": group}]}).encode() for group in ("young", "old", "young", "old", "old")
    ]
