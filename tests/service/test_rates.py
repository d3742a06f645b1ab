"""Rates in rows and in explanations, over every protocol: one rate for all of them, and 429 with `Retry-After`."""

import hashlib
import json

import grpc
import httpx
import pytest
from grpc import StatusCode
from tritonclient.grpc import service_pb2_grpc

from tests.conftest import Server, apart
from tests.service.test_grpc import refused, typed
from tests.service.test_keys import error_of

KEYS = ("http", "v2", "grpc", "routed", "explainer", "free")
RATES = "    rows_per_s: 0.5\n    explanations_per_s: 0.25\n"
V2 = "/v2/models/german_credit/infer"


def rated_server(trained, home, **settings: str) -> Server:
    entries = [
        f"  - name: {name}\n    sha256: {hashlib.sha256(name.encode()).hexdigest()}\n"
        f"    permissions: [predict, read]\n{RATES if name != 'free' else ''}"
        for name in KEYS
    ]
    (home / "keys.yaml").write_text("keys:\n" + "".join(entries))
    variables = {"SCORER_KEYS_FILE": str(home / "keys.yaml"), "SCORER_GRPC_HOST": "127.0.0.1"} | settings
    return Server(apart(trained, home) | variables, home / "serve.log")


@pytest.fixture(scope="module")
def rated(trained, tmp_path_factory):
    """A service with a key per test, as each is used up."""
    server = rated_server(trained, tmp_path_factory.mktemp("rated"))
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def client(rated):
    with httpx.Client(base_url=rated.url, timeout=30) as client:
        yield client


def v2_body(applicants: list[dict]) -> dict:
    """The tensors of applicants as JSON."""
    inputs = []
    for name in applicants[0]:
        values = [applicant[name] for applicant in applicants]
        datatype = "BYTES" if isinstance(values[0], str) else "INT64"
        inputs.append({"name": name, "datatype": datatype, "shape": [len(values)], "data": values})
    return {"inputs": inputs}


def asked(client: httpx.Client, key: str, path: str, body: object) -> httpx.Response:
    return client.post(path, content=json.dumps(body), headers={"x-api-key": key})


@pytest.mark.parametrize(("key", "path"), [("http", "/predict"), ("v2", V2)])
def test_a_large_request_is_answered_and_then_every_protocol_waits(client, rated, german_applicants, key, path):
    rows = german_applicants[:50]
    bodies = {"/predict": {"applicants": rows}, V2: v2_body(rows)}
    assert asked(client, key, path, bodies[path]).status_code == 200
    for other, body in bodies.items():
        for sent in (body, {}):  # a body that is none, too: it is not looked at
            answer = asked(client, key, other, sent)
            message = error_of(answer, 429, "too_many_requests")["message"]
            assert f"the key {key} may have 0.5 rows scored a second" in message
            assert 90 <= int(answer.headers["retry-after"]) <= 100
    with grpc.insecure_channel(rated.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        call = refused(stub.ModelInfer, typed(rows[:1]), metadata=[("x-api-key", key)])
        assert call.code() == StatusCode.RESOURCE_EXHAUSTED
    assert asked(client, key, "/explain", {"applicants": rows[:1]}).status_code == 200, "another rate"
    assert asked(client, "free", path, bodies[path]).status_code == 200, "other keys do not wait"


def test_rows_over_grpc_count_too_and_are_pushed_back(client, rated, german_applicants):
    with grpc.insecure_channel(rated.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request, metadata = typed(german_applicants[:50]), [("x-api-key", "grpc")]
        assert stub.ModelInfer(request, metadata=metadata).outputs
        call = refused(stub.ModelInfer, request, metadata=metadata)
        assert call.code() == StatusCode.RESOURCE_EXHAUSTED
        assert 90_000 <= int(dict(call.trailing_metadata())["grpc-retry-pushback-ms"]) <= 100_000
    error_of(asked(client, "grpc", "/predict", {"applicants": german_applicants[:1]}), 429, "too_many_requests")


def test_explanations_have_a_rate_of_their_own(client, german_applicants):
    rows = {"applicants": german_applicants[:5]}
    assert asked(client, "explainer", "/explain", rows).status_code == 200
    for body in (rows, {"application_id": "A-1"}):
        answer = asked(client, "explainer", "/explain", body)
        assert "0.25 rows explained a second" in error_of(answer, 429, "too_many_requests")["message"]
        assert 10 <= int(answer.headers["retry-after"]) <= 20
    assert asked(client, "explainer", "/predict", rows).status_code == 200


def test_rows_count_without_the_fast_path_as_well(trained, tmp_path, german_applicants):
    server = rated_server(trained, tmp_path, SCORER_FAST_PATH="false")
    try:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            body = {"applicants": german_applicants[:50]}
            assert asked(client, "routed", "/predict", body).status_code == 200
            error_of(asked(client, "routed", "/predict", body), 429, "too_many_requests")
    finally:
        server.stop()
