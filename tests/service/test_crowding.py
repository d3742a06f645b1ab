"""Connections that hold a place and ask nothing (half a head, half a body, silence): new callers are answered still.

`tests/torture/test_half_open.py` has more of them.
"""

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, Trained, apart
from tests.service.conftest import metric, until

LIMIT, MORE = 256, 400
HALF_HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\nx-a: "
HALF_BODY = b'POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{"applicants"'
KINDS = {
    "half a head": HALF_HEAD,
    "nothing": b"",
    "half a body": HALF_BODY % b"/predict",
    "half a body that BentoML reads": HALF_BODY % b"/predict?x=1",
    "half a body of a route that has none": HALF_BODY % b"/model",
}


def limited_server(trained: Trained, home: Path, descriptors: int, **settings: str) -> Server:
    """A service of processes that may open so many files."""
    home.mkdir(exist_ok=True)
    shell = home / "python"
    shell.write_text(f'#!/bin/sh\nulimit -n {descriptors}\nexec {sys.executable} "$@"\n')
    shell.chmod(0o755)
    return Server(apart(trained, home) | settings, home / "serve.log", python=str(shell))


@contextlib.contextmanager
def crowd(port: int, number: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this and nothing else, or as many as are taken."""
    with contextlib.ExitStack() as stack:
        held = []
        for _ in range(number):
            with contextlib.suppress(OSError):
                one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
                one.sendall(sent)
                held.append(one)
        yield held


def is_answered(method: str, url: str, body: str | None = None) -> bool:
    """Whether a new connection gets its answer; what comes in the same moment as a burst may be reset."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.request(method, url, content=body, timeout=30).status_code == 200
    return False


@pytest.fixture(scope="module")
def limited(trained, tmp_path_factory):
    """A service with few descriptors, in which a body may take 3 s to come."""
    server = limited_server(trained, tmp_path_factory.mktemp("limited"), LIMIT)
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("sent", KINDS.values(), ids=KINDS)
def test_callers_are_answered_however_many_connections_ask_nothing(limited, example, sent):
    body = json.dumps({"applicants": [example]})
    with crowd(limited.port, MORE, sent):
        # Bodies give way after 3 s.
        until(lambda: is_answered("POST", f"{limited.url}/predict", body))
        for _ in range(20):
            assert is_answered("POST", f"{limited.url}/predict", body)
    with httpx.Client(base_url=limited.url, timeout=30) as client:
        assert metric(client, "scorer_evicted_connections_total") > 0
    assert "closed early so far, to make room for new ones" in limited.log.read_text()
    assert "from 127.0.0.1" in limited.log.read_text()


def test_a_request_that_is_being_answered_never_gives_way(limited, example):
    """A client that reads slowly has its answer."""
    many = json.dumps({"applicants": [example] * 9_000}).encode()
    with socket.create_connection(("127.0.0.1", limited.port), timeout=60) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(many) + many)
        with crowd(limited.port, MORE, HALF_HEAD):
            until(lambda: is_answered("GET", f"{limited.url}/model"))
        received = bytearray()
        while not received.endswith(b"]"):
            more = slow.recv(65536)
            assert more, "it was closed"
            received += more
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b'"decision"') == 9_000


def test_an_address_has_the_connections_that_the_setting_says_and_the_others_keep_theirs(trained, tmp_path):
    server = Server(
        apart(trained, tmp_path) | {"SCORER_MAX_CONNECTIONS_PER_ADDRESS": "20", "SCORER_KEEP_ALIVE_S": "86400"},
        tmp_path / "serve.log",
    )
    try:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(httpx.Client(base_url=server.url, timeout=30)) for _ in range(25)]
            statuses = [client.get("/model").status_code for client in clients]
            assert statuses == [200] * 20 + [503] * 5, "all are in use"
            with socket.socket() as other:
                other.bind(("127.0.0.2", 0))
                other.settimeout(30)
                other.connect(("127.0.0.1", server.port))
                other.sendall(b"GET /model HTTP/1.1\r\nhost: localhost\r\n\r\n")
                assert other.recv(65536).startswith(b"HTTP/1.1 200 ")
        with crowd(server.port, 60, HALF_HEAD) as held, httpx.Client(base_url=server.url, timeout=30) as client:
            assert len(held) == 60
            assert client.get("/model").status_code == 200, "its own half heads give way"
        assert "its address has 20 connections already" in server.log.read_text()
    finally:
        server.stop()
