"""Who may call over gRPC: the keys of HTTP, in the metadata."""

import grpc
import psutil
import pytest
import tritonclient.grpc as triton
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.conftest import Server, apart
from tests.service.tensors import inputs
from tests.service.test_grpc import MODEL, refused, typed
from tests.service.test_keys import FILE, SECRETS


@pytest.fixture(scope="module")
def keyed(trained, tmp_path_factory):
    """A service that asks for keys."""
    home = tmp_path_factory.mktemp("grpc_keys")
    (home / "keys.yaml").write_text(FILE)
    variables = {"SCORER_KEYS_FILE": str(home / "keys.yaml"), "SCORER_GRPC_HOST": "127.0.0.1"}
    server = Server(apart(trained, home) | variables, home / "serve.log")
    yield server
    server.stop()
    assert not [secret for secret in SECRETS.values() if secret in server.log.read_text()]


@pytest.fixture
def stub(keyed):
    """Its calls."""
    with grpc.insecure_channel(keyed.grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def key(name):
    return [("authorization", f"Bearer {SECRETS[name]}")]


def test_scoring_needs_predict_and_metadata_needs_read(stub, german_applicants):
    request, described = typed(german_applicants[:1]), service_pb2.ModelMetadataRequest(name=MODEL)
    assert stub.ModelInfer(request, metadata=key("scorer")).outputs
    assert stub.ModelMetadata(described, metadata=key("reader")).inputs
    assert refused(stub.ModelInfer, request).code() == StatusCode.UNAUTHENTICATED
    wrong = [("authorization", "Bearer no such key")]
    assert refused(stub.ModelInfer, request, metadata=wrong).code() == StatusCode.UNAUTHENTICATED
    assert refused(stub.ModelInfer, request, metadata=key("reader")).code() == StatusCode.PERMISSION_DENIED
    assert refused(stub.ModelMetadata, described, metadata=key("scorer")).code() == StatusCode.PERMISSION_DENIED


def test_unmodified_clients_bring_keys(keyed, german_applicants):
    with triton.InferenceServerClient(keyed.grpc) as client:
        headers = {"x-api-key": SECRETS["both"]}
        assert client.get_model_metadata(MODEL, headers=headers).inputs
        result = client.infer(MODEL, inputs(triton, german_applicants[:1]), headers=headers)
        assert result.as_numpy("decision").size == 1


def test_a_caller_over_its_rate_gets_a_pushback(stub, german_applicants):
    request = typed(german_applicants[:1])
    for _ in range(2):
        assert stub.ModelInfer(request, metadata=key("slow")).outputs
    error = refused(stub.ModelInfer, request, metadata=key("slow"))
    assert error.code() == StatusCode.RESOURCE_EXHAUSTED
    assert 50_000 < int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) <= 100_000


def test_health_is_open_to_everybody(keyed, stub):
    assert stub.ServerReady(service_pb2.ServerReadyRequest()).ready
    with grpc.insecure_channel(keyed.grpc) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def other_address():
    """An address of this machine that is not loopback, as others see it; None where there is none."""
    found = (a.address for each in psutil.net_if_addrs().values() for a in each if a.family.name == "AF_INET")
    return next((address for address in found if not address.startswith("127.")), None)


def test_without_keys_other_machines_get_the_command_that_makes_one(trained, serve, german_applicants):
    if (address := other_address()) is None:
        pytest.skip("this machine has no address but loopback")
    service = serve(trained, SCORER_GRPC_HOST="0.0.0.0")
    port = service.grpc.rpartition(":")[2]
    for host, allowed in (("127.0.0.1", True), (address, False)):
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            if allowed:
                assert stub.ModelInfer(typed(german_applicants[:1])).outputs
            else:
                error = refused(stub.ModelInfer, typed(german_applicants[:1]))
                assert error.code() == StatusCode.PERMISSION_DENIED
                assert "keys_file" in error.details()
