"""Who may not call over gRPC has nothing read, and who may cannot fill the memory or keep others waiting."""

import contextlib
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
import psutil
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.conftest import Server, apart
from tests.service.conftest import until
from tests.service.http2 import INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, Http2
from tests.service.test_grpc import SERVICE, typed
from tests.service.test_grpc_keys import key
from tests.service.test_keys import FILE

INFER = f"/{SERVICE}/ModelInfer"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
NEEDS_KEY = [
    *(f"/{SERVICE}/{call}" for call in ("ModelInfer", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelConfig")),
    *(f"/{SERVICE}/{call}" for call in ("ModelStatistics", "RepositoryIndex")),
    *(REFLECTION, REFLECTION.replace("v1", "v1alpha")),
]
MB = 1_000_000


@pytest.fixture(scope="module")
def keyed(trained, tmp_path_factory):
    """A service that asks for keys, and waits a second for what is sent."""
    home = tmp_path_factory.mktemp("admission")
    (home / "keys.yaml").write_text(FILE)
    variables = {"SCORER_KEYS_FILE": str(home / "keys.yaml"), "SCORER_GRPC_HOST": "127.0.0.1", "SCORER_TIMEOUT_S": "2"}
    server = Server(apart(trained, home) | variables, home / "serve.log")
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


def worker(server):
    """The process that listens for gRPC."""
    port = int(server.grpc.rpartition(":")[2])
    processes = psutil.Process(server.process.pid).children(recursive=True)
    return next(
        process
        for process in processes
        if any(c.status == "LISTEN" and c.laddr.port == port for c in process.net_connections("tcp"))
    )


class Peak:
    """The most memory of a process in MB since this was made: the kernel keeps count."""

    def __init__(self, process):
        self.process = process
        self.before = process.memory_info().rss / MB
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    @property
    def growth(self):
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (kilobytes,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
        return int(kilobytes) * 1024 / MB - self.before

    def is_back(self):
        return self.process.memory_info().rss / MB < 1.2 * self.before


def flood(server, calls, connections, size, call=INFER, metadata=()):
    """Messages of `size` bytes, all at once; the codes of the answers."""
    body, options = bytes(size), [("grpc.use_local_subchannel_pool", 1)]
    with contextlib.ExitStack() as stack:
        channels = [
            stack.enter_context(grpc.insecure_channel(server.grpc, options=options)) for _ in range(connections)
        ]
        asked = [
            channels[number % connections].unary_unary(call).future(body, metadata=metadata, timeout=60)
            for number in range(calls)
        ]
        return Counter(future.code() for future in asked)


@pytest.mark.parametrize("call", NEEDS_KEY)
def test_a_caller_without_a_key_is_refused_before_it_sends_a_message(keyed, call):
    never = threading.Event()

    def messages():
        never.wait(30)
        yield b""

    with grpc.insecure_channel(keyed.grpc) as channel:
        asked = channel.stream_stream(call)(messages(), timeout=20)
        with pytest.raises(grpc.RpcError) as caught:
            next(asked)
        never.set()
    assert caught.value.code() == StatusCode.UNAUTHENTICATED


def test_readiness_of_a_model_and_reflection_need_read(keyed):
    with grpc.insecure_channel(keyed.grpc) as channel:
        ready = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelReady
        request = service_pb2.ModelReadyRequest(name="german_credit")
        assert ready(request, metadata=key("reader")).ready
        with pytest.raises(grpc.RpcError) as caught:
            ready(request, metadata=key("scorer"))
        assert caught.value.code() == StatusCode.PERMISSION_DENIED
        reflect = channel.stream_stream(REFLECTION)
        listed = b"".join(reflect(iter([b":\0"]), metadata=key("reader")))  # list_services
        assert SERVICE.encode() in listed
        with pytest.raises(grpc.RpcError) as caught:
            next(reflect(iter([b":\0"]), metadata=key("scorer")))
        assert caught.value.code() == StatusCode.PERMISSION_DENIED


def test_a_flood_of_large_messages_without_a_key_takes_no_memory(keyed):
    peak = Peak(worker(keyed))
    assert flood(keyed, calls=100, connections=20, size=6 << 20) == {StatusCode.UNAUTHENTICATED: 100}
    assert peak.growth < 100, "20 connections of 64 KiB for each call, not 600 MB"


def test_a_flood_of_large_messages_to_what_is_open_to_everybody_takes_little(keyed):
    peak = Peak(worker(keyed))
    for call in (f"/{SERVICE}/ServerLive", "/grpc.health.v1.Health/Check"):
        assert flood(keyed, calls=60, connections=20, size=6 << 20, call=call)
    assert peak.growth < 450, "four at once, and what gRPC keeps of those before, not 720 MB"


def test_a_flood_with_a_key_is_bounded_and_its_memory_comes_back(keyed, german_applicants):
    peak = Peak(worker(keyed))
    codes = flood(keyed, calls=150, connections=30, size=6 << 20, metadata=key("scorer"))
    assert set(codes) <= {StatusCode.RESOURCE_EXHAUSTED, StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED}
    assert peak.growth < 800
    until(peak.is_back, within_s=60)
    with grpc.insecure_channel(keyed.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert stub.ModelInfer(typed(german_applicants[:1]), metadata=key("scorer")).outputs


def test_a_connection_has_a_hundred_calls_of_which_little_is_taken_in(keyed):
    with Http2(int(keyed.grpc.rpartition(":")[2])) as connection:
        assert connection.settings[MAX_CONCURRENT_STREAMS] == 100
        assert connection.settings.get(INITIAL_WINDOW_SIZE, 65_535) <= 1 << 16


def test_messages_that_do_not_end_keep_nobody_waiting_and_end_in_time(keyed, german_applicants):
    port, token = int(keyed.grpc.rpartition(":")[2]), key("scorer")[0][1]
    with contextlib.ExitStack() as stack, Http2(port) as slow, grpc.insecure_channel(keyed.grpc) as channel:
        halves = [slow.begin(INFER, 1 << 20, b"half", authorization=token) for _ in range(90)]
        for stranger in [stack.enter_context(Http2(port)) for _ in range(3)]:
            for _ in range(90):
                stranger.begin("/grpc.health.v1.Health/Check", 1 << 20, b"half")
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert stub.ModelInfer(typed(german_applicants[:1]), metadata=key("scorer"), timeout=20).outputs
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        assert slow.ended(halves[0])


def test_a_call_that_is_given_up_while_it_sends_leaves_nothing(keyed):
    peak = Peak(worker(keyed))
    body = bytes(6 << 20)
    with grpc.insecure_channel(keyed.grpc) as channel:
        for _ in range(40):
            asked = channel.unary_unary(INFER).future(body, metadata=key("scorer"))
            time.sleep(0.005)
            asked.cancel()
    until(peak.is_back, within_s=60)


def test_a_message_without_bytes_is_refused_and_one_over_what_max_rows_can_take_is_not_read(keyed):
    with grpc.insecure_channel(keyed.grpc) as channel:
        for messages, code in (
            ([], StatusCode.INVALID_ARGUMENT),
            ([b""], StatusCode.NOT_FOUND),
            ([bytes(12 << 20)], StatusCode.RESOURCE_EXHAUSTED),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                channel.stream_unary(INFER)(iter(messages), metadata=key("scorer"), timeout=20)
            assert caught.value.code() == code
