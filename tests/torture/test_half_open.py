"""Connections that hold places, by the thousand: half heads, half bodies, silence; callers are answered still."""

import contextlib
import json
import resource
import socket
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.conftest import Server, apart
from tests.service.conftest import metric, until
from tests.service.test_crowding import KINDS, crowd, is_answered, limited_server

DESCRIPTORS = 1024
MIB = 2**20


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """This process opens many connections itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory_of(server: Server) -> int:
    """Bytes of the worker, once it has answered a request."""
    (worker,) = [
        process
        for process in psutil.Process(server.process.pid).children()
        if "_bentoml_impl.worker.service" in process.cmdline()
    ]
    return int(worker.memory_info().rss)


@pytest.fixture(scope="module")
def limited(trained, tmp_path_factory) -> Iterator[Server]:
    """A service with few descriptors, for one kind of connections after the other."""
    server = limited_server(trained, tmp_path_factory.mktemp("limited"), DESCRIPTORS)
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_half_open_connections_deny_nobody_the_service(limited, german_applicants, size, say, kind):
    number = size(1_100, 5_000)
    body = json.dumps({"applicants": german_applicants[:1]})
    assert is_answered("POST", f"{limited.url}/predict", body)
    before = memory_of(limited)
    with httpx.Client(base_url=limited.url, timeout=30) as client:
        evicted = metric(client, "scorer_evicted_connections_total")
    with crowd(limited.port, number, KINDS[kind]) as held:
        until(lambda: is_answered("POST", f"{limited.url}/predict", body), 20)
        answered = [is_answered("POST", f"{limited.url}/predict", body) for _ in range(200)]
        grown = memory_of(limited) - before
    say(
        f"{kind}: {len(held)} connections at {DESCRIPTORS} descriptors, {sum(answered)} of 200 answered, "
        f"{grown / MIB:.0f} MiB more"
    )
    assert all(answered)
    assert grown < 32 * MIB
    with httpx.Client(base_url=limited.url, timeout=30) as client:
        assert metric(client, "scorer_evicted_connections_total") > evicted


def test_idle_connections_cost_little_and_are_answered(trained, tmp_path, german_applicants, size, say):
    """Every one of them has asked once, and may ask again."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = size(1_000, 20_000)
    number = min(wanted, hard - 1_000)  # of descriptors, of which this process has no more
    server = Server(
        apart(trained, tmp_path) | {"SCORER_MAX_CONNECTIONS_PER_ADDRESS": "1000000", "SCORER_KEEP_ALIVE_S": "3600"},
        tmp_path / "serve.log",
    )
    body = json.dumps({"applicants": german_applicants[:1]}).encode()
    request = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    try:
        assert is_answered("POST", f"{server.url}/predict", body.decode())
        before = memory_of(server)
        with contextlib.ExitStack() as stack:
            idle = []
            for index in range(number):
                one = socket.socket()
                stack.enter_context(one)
                one.bind((f"127.0.0.{2 + index // 10_000}", 0))  # an address has some 28,000 ports
                one.settimeout(60)
                one.connect(("127.0.0.1", server.port))
                one.sendall(request)
                assert one.recv(4096).startswith(b"HTTP/1.1 200 ")
                idle.append(one)
            grown = memory_of(server) - before
            say(f"{number} idle connections: {grown / MIB:.0f} MiB, {grown / number / 1024:.1f} KiB each")
            assert is_answered("POST", f"{server.url}/predict", body.decode())
            for one in idle[:: max(1, number // 200)]:
                one.sendall(request)
                assert one.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert grown < 32 * 1024 * number + 32 * MIB
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()
    finally:
        server.stop()
