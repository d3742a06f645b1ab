"""SIGTERM: the service is gone within `grace_s`, whatever clients hold open; what was begun in time is answered."""

import contextlib
import json
import signal
import socket

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2_grpc

from monitoring.status import count
from tests.conftest import STOP_S, Server, apart
from tests.service.conftest import until
from tests.service.test_grpc import typed
from tests.service.test_syncing import python_on_disk

GRACE_S = 6
HEAD = b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"


def held(server: Server, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(sent)
    return connection


@pytest.fixture
def ending(trained, tmp_path):
    """A service with little grace."""
    server = Server(apart(trained, tmp_path) | {"SCORER_GRACE_S": str(GRACE_S)}, tmp_path / "serve.log")
    yield server
    server.stop()
    said = server.log.read_text()
    assert "Traceback" not in said, said


def ended(server: Server) -> int:
    """The exit code, after SIGTERM; `subprocess.TimeoutExpired` when the grace was not enough.

    Half of it more is for a machine that does something else.
    """
    server.process.send_signal(signal.SIGTERM)
    return server.process.wait(GRACE_S * 1.5)


def test_it_ends_whatever_is_open(ending, example, german_applicants):
    body = json.dumps({"applicants": [example]}).encode()
    many = json.dumps({"applicants": [example] * 9_000}).encode()
    with contextlib.ExitStack() as stack:
        idle = stack.enter_context(held(ending, b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"))
        half_head = stack.enter_context(held(ending, b"POST /predict HTTP/1.1\r\nhost: localh"))
        half_bodies = [
            stack.enter_context(held(ending, HEAD % (path, len(body)) + body[:50]))
            for path in (b"/predict", b"/predict?x=1", b"/explain", b"/v2/models/german_credit/infer")
        ]
        slow_reader = stack.enter_context(held(ending, HEAD % (b"/predict", len(many)) + many))
        slow_asgi_reader = stack.enter_context(held(ending, HEAD % (b"/predict?x=1", len(many)) + many))
        explained = json.dumps({"applicants": [example] * 100}).encode()
        explaining = stack.enter_context(held(ending, HEAD % (b"/explain", len(explained)) + explained))
        channel = stack.enter_context(grpc.insecure_channel(ending.grpc))
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert slow_reader.recv(12) == b"HTTP/1.1 200", "it is answered, and reads no more"
        assert slow_asgi_reader.recv(12) == b"HTTP/1.1 200"
        assert ended(ending) == 0
        assert idle.recv(1) == half_head.recv(1) == b""
        for connection in half_bodies:
            received = connection.recv(65536)
            assert received == b"" or received.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 400 ")), received
        assert explaining


def test_what_was_begun_in_time_is_answered_over_both_protocols(ending, example, german_applicants):
    """A body that is not whole yet, and calls that are on their way."""
    body = json.dumps({"applicants": [example]}).encode()
    with (
        held(ending, b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n") as idle,
        held(ending, HEAD % (b"/predict", len(body)) + body[:50]) as slow,
        grpc.insecure_channel(ending.grpc) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        calls = [stub.ModelInfer.future(typed(german_applicants[:900])) for _ in range(20)]
        calls[0].result()
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 ")
        ending.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b"", "the shutdown has begun"
        slow.sendall(body[50:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert slow.recv(1) == b""
        codes = {call.code() for call in calls}
        assert codes <= {StatusCode.OK, StatusCode.UNAVAILABLE}, "none is cut"
        assert ending.process.wait(GRACE_S * 1.5) == 0


def test_requests_that_wait_for_their_results_are_refused(trained, tmp_path, german_applicants):
    """The disk hangs: a batch is written and not synced, so it is not answered, and the next ones are not scored."""
    grace_s = 10  # what waits is refused in the fifteen tenths before the kill, beside tests that keep the cores busy
    # Microseconds: longer than what ends first takes. Only then has strace let go of the worker, and the service ends.
    python = python_on_disk(tmp_path, f"delay_enter={(grace_s + 4) * 10**6}")
    variables = apart(trained, tmp_path) | {"SCORER_GRACE_S": str(grace_s), "SCORER_SYNC": "batch"}
    server = Server(variables, tmp_path / "serve.log", python=python)
    body = json.dumps({"applicants": german_applicants[:1]}).encode()
    infer = f"/v2/models/{trained.tag.partition(':')[0]}/infer".encode()
    inputs = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in german_applicants[0].items()
    ]
    tensors = json.dumps({"inputs": inputs}).encode()
    try:
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(held(server, HEAD % (b"/predict", len(body)) + body))
            until(lambda: count(tmp_path / "var").served == 1)
            queued = [
                stack.enter_context(held(server, HEAD % (path, len(sent)) + sent))
                for path, sent in ((b"/predict", body), (infer, tensors))
            ]
            on_the_long_way = stack.enter_context(held(server, HEAD % (b"/predict?x=1", len(body)) + body))
            server.process.send_signal(signal.SIGTERM)
            for connection in (first, *queued):
                head, _, answer = connection.makefile("rb").read().partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 503 "), head
                assert b"\r\nretry-after: " in head.lower()
                assert b"the service is shutting down; try again" in answer
            assert on_the_long_way.recv(65536) == b"", "it is closed"
        assert server.process.wait(STOP_S) == 0
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text()


def test_the_former_name_of_the_setting_works_and_is_named(trained, tmp_path):
    server = Server(apart(trained, tmp_path) | {"SCORER_GRPC_GRACE_S": "5"}, tmp_path / "serve.log")
    assert server.stop() == 0
    assert "SCORER_GRPC_GRACE_S: is now SCORER_GRACE_S" in server.log.read_text()
