"""One running service for the tests that leave it as it was; `serve` starts another for those that break it."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT, Server, Trained, apart
from tests.forks import SERVICE

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[[A-Z]+\] \[\S+\] .*")  # of BentoML's log
ANNOUNCEMENT = re.compile(r"\ncredit-scorer  (\S+) is ready\n((?:  .*\n)+)\n")


@pytest.fixture(scope="session")
def service(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with one worker, shared by all tests of this folder."""
    home = tmp_path_factory.mktemp("service")
    server = Server(apart(trained, home), home / "serve.log", options=())
    yield server
    server.stop()
    said = server.log.read_text()
    assert [line for line in ANNOUNCEMENT.sub("", said).splitlines() if not LINE.fullmatch(line)] == []
    assert "Traceback" not in said, said
    assert "private-" not in said, "an application_id of the tests is in the log"


@pytest.fixture(scope="session")
def client(service: Server) -> Iterator[httpx.Client]:
    """An HTTP client of `service`."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def example(client: httpx.Client) -> dict[str, Any]:
    """An applicant that is valid, as the service itself describes it."""
    applicant: dict[str, Any] = client.get("/model").json()["example"]
    return applicant


ROUTES = """
import json, service
routes = [route for app, _, _ in service.app.mount_apps for route in app.routes]
print(json.dumps([[route.path, sorted(route.methods)] for route in routes]))
"""
OF_BENTOML = {"/predict": ["POST"], "/livez": ["GET"], "/readyz": ["GET"], "/healthz": ["GET"], "/schema.json": ["GET"]}


@pytest.fixture(scope="session")
def routes(trained: Trained) -> dict[str, list[str]]:
    """Every route, its parameters filled in, with its methods."""
    done = subprocess.run(
        [sys.executable, "-c", ROUTES], cwd=ROOT, env=trained.environment, capture_output=True, text=True, check=True
    )
    name, version = trained.tag.split(":")
    ours = json.loads(done.stdout.splitlines()[-1])
    assert len(ours) > 15
    filled = {path.replace("{model}", name).replace("{version}", version): methods for path, methods in ours}
    return {**filled, **OF_BENTOML}


@pytest.fixture
def count(client: httpx.Client) -> Callable[[str], float]:
    """`count(name)`: the sum of a metric over its labels, now."""
    return lambda name: metric(client, name)


def metric(client: httpx.Client, name: str) -> float:
    """The sum of a metric over its labels; `name` may end in `{label="value"` to choose some."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(re.escape(name) + r"[ {,}]", line))


def announced(server: Server) -> list[dict[str, str]]:
    """Every announcement in the log of a service: its lines by their first word, and the model as `tag`."""
    return [
        {"tag": tag} | {line.split()[0]: line.split(maxsplit=1)[1] for line in lines.splitlines()}
        for tag, lines in ANNOUNCEMENT.findall(server.log.read_text())
    ]


def records(directory: Path) -> dict[str, Any]:
    """Every applicant in the decision log, by `application_id`."""
    from monitoring.records.segments import read, segments

    found = {}
    for segment in segments(directory):
        for batch, _ in read(segment):
            for row in batch.rows:
                found[row.applicant["application_id"]] = row
    return found


def until(true: Callable[[], bool], within_s: float = 10) -> None:
    """Wait until it is, for a limited time."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def refused_start(
    environment: dict[str, str], *options: str, prefix: Sequence[str] = (), port: int = 0
) -> subprocess.CompletedProcess[str]:
    """A start of the service that ends by itself, in a fork (`tests.forks`); `prefix` is a command that runs it."""
    command = ["serve", "service:CreditScorer", "--port", str(port), *options]
    if not prefix:
        return SERVICE.run("bentoml", command, ROOT, environment)
    return subprocess.run(
        [*prefix, sys.executable, "-m", "bentoml", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
