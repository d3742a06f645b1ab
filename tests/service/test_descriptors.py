"""The file descriptors of a worker, used up by connections: callers are told, the log says it once, and it passes."""

import contextlib
import http.client
import json
import socket
import sys

import httpx
import pytest

from tests.conftest import Server, apart
from tests.service.conftest import metric, until

LIMIT, MORE = 256, 300


@pytest.fixture
def limited(trained, tmp_path):
    """A service that may have few descriptors."""
    shell = tmp_path / "python"
    shell.write_text(f'#!/bin/sh\nulimit -n {LIMIT}\nexec {sys.executable} "$@"\n')
    shell.chmod(0o755)
    # Connections that were used before do not give way for two hours.
    settings = {"SCORER_KEEP_ALIVE_S": "86400", "SCORER_MAX_CONNECTIONS_PER_ADDRESS": "1000"}
    server = Server(apart(trained, tmp_path) | settings, tmp_path / "serve.log", python=str(shell))
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


def test_a_burst_that_sends_nothing_gives_way_is_logged_and_passes(limited):
    """What comes at once may be reset by the event loop; what it took before that gives way."""
    with contextlib.ExitStack() as callers:
        for _ in range(MORE):
            with contextlib.suppress(OSError):
                callers.enter_context(socket.create_connection(("127.0.0.1", limited.port), timeout=20))
        until(lambda: "closed early so far, to make room" in limited.log.read_text())
    with httpx.Client(base_url=limited.url, timeout=30) as late:
        assert late.get("/readyz").status_code == 200
        assert metric(late, "scorer_evicted_connections_total") > 0


def test_connections_beyond_the_descriptors_get_a_503_and_are_logged_and_counted(limited):
    with httpx.Client(base_url=limited.url, timeout=30) as early:
        body = json.dumps({"applicants": [early.get("/model").json()["example"]]})
        kept, statuses = [], []
        for number in range(MORE):
            caller = http.client.HTTPConnection("127.0.0.1", limited.port, timeout=30)
            kept.append(caller)
            path = "/predict" if number % 2 else "/v2/models/german_credit"
            caller.request("POST" if number % 2 else "GET", path, body=body if number % 2 else None)
            answer = caller.getresponse()
            statuses.append(answer.status)
            content = json.loads(answer.read())
            if answer.status == 503:
                assert answer.getheader("retry-after") == "1"
                assert "too many connections" in json.dumps(content)
        refused = statuses.count(503)
        assert set(statuses) == {200, 503}
        assert statuses == sorted(statuses), "who was there before is not refused"
        assert refused > MORE - LIMIT
        assert metric(early, "scorer_refused_connections_total") == refused
        assert early.post("/predict", content=body).status_code == 200, "the log still has descriptors"
        for caller in kept:
            caller.close()
        with httpx.Client(base_url=limited.url, timeout=30) as late:
            # A worker may accept before it has seen that the others went: then it says when to try again.
            until(lambda: late.post("/predict", content=body).status_code == 200)
    said = limited.log.read_text()
    assert f"at most {LIMIT - 32} connections per worker, as a process may open {LIMIT} files" in said
    assert said.count("connections per worker") == 1, "the workers do not say it again"
    assert f"file descriptors are used up; raise `ulimit -n` ({LIMIT})" in said
    assert 1 <= said.count("connections refused so far") <= 3, "a line every 10 s at most"
