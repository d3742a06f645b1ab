"""Wrong keys over sockets: counted, logged without the key, and slowed; the right key of the same address is not."""

import contextlib
import select
import socket

import grpc
import httpx
import pytest
from grpc import StatusCode
from tritonclient.grpc import service_pb2, service_pb2_grpc

from serving.access.wrong_keys import AT_ONCE
from tests.conftest import Server, apart
from tests.service.conftest import metric, until
from tests.service.test_keys import FILE, SECRETS

ADDRESSES = 500
EXPIRED = FILE.replace("permissions: [read]", "permissions: [read]\n    expires: 2020-01-01T00:00:00Z")


@pytest.fixture
def keyed(trained, tmp_path):
    """A service that asks for keys; that of `reader` has expired."""
    (tmp_path / "keys.yaml").write_text(EXPIRED)
    settings = {"SCORER_KEYS_FILE": str(tmp_path / "keys.yaml"), "SCORER_GRPC_HOST": "127.0.0.1"}
    server = Server(apart(trained, tmp_path) | settings, tmp_path / "serve.log")
    yield server
    server.stop()
    said = server.log.read_text()
    assert "scorer_wrong" not in said
    assert "Traceback" not in said, said


def asking(server: Server, key: str, more: str = "", path: str = "/predict") -> socket.socket:
    """A connection that has sent a request with this key."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{more}content-length: 2\r\n\r\n{{}}".encode()
    )
    return connection


def first_answered(connections: list[socket.socket]) -> socket.socket:
    ready, _, _ = select.select(connections, [], [], 30)
    assert len(ready) == 1
    return ready[0]


def test_a_flood_is_slowed_counted_once_each_and_logged_without_the_key(keyed):
    with contextlib.ExitStack() as stack:
        flood = [stack.enter_context(asking(keyed, f"scorer_wrong_{number}")) for number in range(AT_ONCE)]
        for connection in flood:
            assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
        for path in ("/predict", "/model"):  # on the fast path and beside it
            wrong = stack.enter_context(asking(keyed, "scorer_wrong_key", path=path))
            wrong_again = stack.enter_context(asking(keyed, SECRETS["reader"], path=path))
            right = stack.enter_context(asking(keyed, SECRETS["scorer"], path="/predict"))
            assert first_answered([wrong, wrong_again, right]) is right, "the wrong key was not held back"
            assert right.recv(65536).startswith(b"HTTP/1.1 400 "), "the body is none"
            assert wrong.recv(65536).startswith(b"HTTP/1.1 401 ")
            assert b"www-authenticate: Bearer\r\n" in wrong_again.recv(65536)
    with httpx.Client(base_url=keyed.url, headers={"x-api-key": SECRETS["both"]}) as client:
        assert metric(client, 'scorer_wrong_keys_total{reason="unknown"') == AT_ONCE + 2
        assert metric(client, 'scorer_wrong_keys_total{reason="expired"') == 2
        assert metric(client, 'scorer_rejected_total{reason="unauthenticated"') == AT_ONCE + 4
    until(lambda: "wrong keys: " in keyed.log.read_text())
    (line, *more) = [line for line in keyed.log.read_text().splitlines() if " wrong keys: " in line]
    assert " from 127.0.0.1" in line
    assert len(more) <= 1, "a line every ten seconds"


def test_grpc_and_http_slow_the_same_address(keyed):
    for number in range(AT_ONCE):
        with asking(keyed, f"scorer_wrong_{number}") as connection:
            connection.recv(65536)
    with grpc.insecure_channel(keyed.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        described = service_pb2.ModelMetadataRequest(name="german_credit")
        wrong = stub.ModelMetadata.future(described, metadata=[("x-api-key", "scorer_wrong")], timeout=30)
        right = stub.ModelMetadata.future(described, metadata=[("x-api-key", SECRETS["both"])], timeout=30)
        assert right.result().name == "german_credit"
        assert not wrong.done(), "the wrong key was not held back"
        assert wrong.exception().code() == StatusCode.UNAUTHENTICATED


def test_wrong_keys_of_many_addresses_hold_nobody_up(keyed):
    """The addresses that a proxy on this machine names, which uvicorn takes from 127.0.0.1."""
    with asking(keyed, "scorer_wrong", "x-forwarded-for: 2001:db8::1\r\n") as first:
        first.recv(65536)
    with httpx.Client(base_url=keyed.url, timeout=30) as client:
        for number in range(ADDRESSES):
            address = f"2001:db8:{number >> 8:x}:{number & 255:x}::1"
            answer = client.get("/model", headers={"x-api-key": "scorer_wrong", "x-forwarded-for": address})
            assert answer.status_code == 401
        assert client.get("/model", headers={"x-api-key": SECRETS["both"]}).status_code == 200
        assert metric_with_key(client) == ADDRESSES + 1


def metric_with_key(client: httpx.Client) -> float:
    client.headers["x-api-key"] = SECRETS["both"]
    return metric(client, "scorer_wrong_keys_total")
