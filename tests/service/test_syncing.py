"""`sync: batch` over HTTP: what is answered when a disk loses a batch, and what is counted."""

import shutil
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, apart
from tests.service.conftest import metric, until
from tests.service.test_records import caught_up

LOST = "3"  # the sync that fails, of those of the thread that does them


@pytest.fixture(params=["refuse", "score"])
def policy(request):
    return request.param


def python_on_disk(home: Path, fault: str) -> str:
    """An interpreter for a service under strace, which has the kernel do this to `fdatasync`."""
    if not shutil.which("strace"):
        pytest.skip("NOT TESTED: a disk with faults. There is no strace here; run: apt-get install strace")
    python = home / "python"
    # -D: strace is a child of what it watches, which can then be stopped.
    options = f"-D -f -qq --seccomp-bpf -o {home}/trace -e trace=fdatasync -e signal=none"
    python.write_text(f'#!/bin/sh\nexec strace {options} -e inject=fdatasync:{fault} {sys.executable} "$@"\n')
    python.chmod(0o700)
    return str(python)


@pytest.fixture
def service(trained, tmp_path, policy):
    """A service whose disk refuses one `fdatasync`."""
    python = python_on_disk(tmp_path, f"error=EIO:when={LOST}")
    variables = apart(trained, tmp_path) | {"SCORER_SYNC": "batch", "SCORER_WHEN_LOG_FAILS": policy}
    server = Server(variables, tmp_path / "serve.log", python=python)
    yield server
    server.stop()


def test_a_batch_that_the_disk_loses_is_not_answered_as_recorded(service, tmp_path, policy, german_applicants):
    with httpx.Client(base_url=service.url, timeout=30) as client:
        answers = [client.post("/predict", json={"applicants": [one]}) for one in german_applicants[:6]]
        statuses = [answer.status_code for answer in answers]
        assert statuses == ([200, 200, 503, 200, 200, 200] if policy == "refuse" else [200] * 6)
        unlogged = 0 if policy == "refuse" else 1
        until(lambda: metric(client, "scorer_logged_rows_total") == 5)
        assert metric(client, "scorer_unlogged_rows_total") == unlogged
        assert metric(client, "scorer_predictions_total") == 5 + unlogged
        assert client.get("/readyz").status_code == 200
    said = service.log.read_text()
    assert said.count("cannot be logged: ") == said.count("the decision log is written again") == 1
    assert "Input/output error" in said
    assert caught_up(tmp_path / "var")["served"] == 6, "a reader may have counted the lost row before it was lost"
    assert len(list((tmp_path / "var/decisions").glob("*.log"))) == 2
