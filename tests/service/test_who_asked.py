"""What the decision log says about the request of a row: protocol, caller, id; over every way in."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2_grpc

from tests.conftest import Server, apart
from tests.service.certificates import Authority
from tests.service.conftest import records
from tests.service.tensors import inputs
from tests.service.test_grpc import MODEL, typed
from tests.service.test_keys import FILE, bearer

INFER = f"/v2/models/{MODEL}/infer"
GENERATED = re.compile("[0-9a-f]{32}")


@pytest.fixture(scope="module")
def keyed(trained, tmp_path_factory):
    """A service that asks for keys, and its records."""
    home = tmp_path_factory.mktemp("who_asked")
    (home / "keys.yaml").write_text(FILE)
    variables = {"SCORER_KEYS_FILE": str(home / "keys.yaml"), "SCORER_KEYS_WITHOUT_TLS": "true"}
    server = Server(apart(trained, home) | variables, home / "serve.log", options=())
    yield server, home / "var"
    server.stop()


def tensors(applicant, **more):
    made = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in applicant.items()
    ]
    return json.dumps({"inputs": made, **more}).encode()


def predict(client, applicant, headers):
    return client.post("/predict", json={"applicants": [applicant]}, headers=headers)


def predict_in_chunks(client, applicant, headers):
    """By the ASGI application: the connection answers bodies of known length."""
    return client.post("/predict", content=iter([json.dumps({"applicants": [applicant]}).encode()]), headers=headers)


def infer(client, applicant, headers):
    return client.post(INFER, content=tensors(applicant), headers=headers)


def infer_in_chunks(client, applicant, headers):
    return client.post(INFER, content=iter([tensors(applicant)]), headers=headers)


@pytest.mark.parametrize(
    ("ask", "protocol"), [(predict, "http"), (predict_in_chunks, "http"), (infer, "v2"), (infer_in_chunks, "v2")]
)
def test_a_row_has_the_name_of_the_key_and_the_id_that_was_sent(keyed, german_applicants, ask, protocol):
    service, directory = keyed
    applicant = german_applicants[0] | {"application_id": f"private-{ask.__name__}"}
    with httpx.Client(base_url=service.url, timeout=60) as client:
        answer = ask(client, applicant, bearer("scorer") | {"x-request-id": f"order {ask.__name__}"})
    assert answer.status_code == 200, answer.text
    row = records(directory)[applicant["application_id"]]
    assert (row.protocol, row.caller, row.request_id) == (protocol, "scorer", f"order {ask.__name__}")


def test_a_row_over_v2_has_the_id_of_its_body_where_no_header_has_one(keyed, german_applicants):
    service, directory = keyed
    for name, headers, expected in (("body", {}, "r 1"), ("both", {"x-request-id": "order 66"}, "order 66")):
        applicant = german_applicants[0] | {"application_id": f"private-{name}"}
        body = tensors(applicant, id="r 1")
        answer = httpx.post(service.url + INFER, content=body, headers=bearer("both") | headers, timeout=60)
        assert answer.json()["id"] == "r 1"
        row = records(directory)[applicant["application_id"]]
        assert (row.caller, row.request_id) == ("both", expected)


def test_a_row_over_grpc_has_the_id_of_the_message_or_else_of_the_metadata(keyed, german_applicants):
    service, directory = keyed
    with grpc.insecure_channel(service.grpc) as channel:
        ask = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        for name, given, sent, expected in (
            ("message", {"id": "r 2"}, "order 67", "r 2"),
            ("metadata", {}, "order 67", "order 67"),
            ("neither", {}, None, None),
            ("unusable", {"id": "r" * 65}, None, None),
        ):
            metadata = [*bearer("scorer").items(), *([("x-request-id", sent)] if sent else [])]
            ask(typed([german_applicants[0] | {"application_id": f"private-{name}"}], **given), metadata=metadata)
            row = records(directory)[f"private-{name}"]
            assert (row.protocol, row.caller) == ("grpc", "scorer")
            assert row.request_id == expected or (expected is None and GENERATED.fullmatch(row.request_id))


def test_rows_of_one_request_share_an_id_that_no_other_request_has(keyed, german_applicants):
    service, directory = keyed
    with httpx.Client(base_url=service.url, headers=bearer("scorer"), timeout=60) as client:
        for number in range(3):
            asked = [german_applicants[0] | {"application_id": f"private-{number}-{row}"} for row in range(4)]
            client.post("/predict", json={"applicants": asked}).raise_for_status()
    found = records(directory)
    ids = [{found[f"private-{number}-{row}"].request_id for row in range(4)} for number in range(3)]
    assert [len(one) for one in ids] == [1, 1, 1]
    assert len(set().union(*ids)) == 3
    assert all(GENERATED.fullmatch(made) for made in set().union(*ids))


def test_an_error_over_grpc_says_its_id_as_one_over_http_does(keyed, german_applicants):
    service, _ = keyed
    wrong = typed([german_applicants[0] | {"housing": "castle"}], id="r 3")
    with grpc.insecure_channel(service.grpc) as channel:
        ask = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        for request, metadata, expected in ((wrong, bearer("scorer"), "r 3"), (wrong, {}, None)):
            with pytest.raises(grpc.RpcError) as caught:
                ask(request, metadata=list(metadata.items()))
            said = dict(caught.value.trailing_metadata())["x-request-id"]
            assert said == expected or (expected is None and GENERATED.fullmatch(said))


def test_through_the_route_of_bentoml_rows_that_share_a_batch_keep_their_requests(trained, tmp_path, german_applicants):
    (tmp_path / "keys.yaml").write_text(FILE)
    variables = {
        "SCORER_KEYS_FILE": str(tmp_path / "keys.yaml"),
        "SCORER_KEYS_WITHOUT_TLS": "true",
        "SCORER_FAST_PATH": "false",
    }
    server = Server(apart(trained, tmp_path) | variables, tmp_path / "serve.log", options=())
    names = ["scorer", "both"] * 20

    def ask(number):
        asked = [german_applicants[number] | {"application_id": f"private-{number}-{row}"} for row in range(3)]
        headers = bearer(names[number]) | {"x-request-id": f"order {number}"}
        answer = httpx.post(f"{server.url}/predict", json={"applicants": asked}, headers=headers, timeout=60)
        assert [one["application_id"] for one in answer.json()] == [one["application_id"] for one in asked]

    try:
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(ask, range(len(names))))
    finally:
        server.stop()
    found = records(tmp_path / "var")
    expected = {
        f"private-{number}-{row}": ("http", name, f"order {number}")
        for number, name in enumerate(names)
        for row in range(3)
    }
    assert {known: (row.protocol, row.caller, row.request_id) for known, row in found.items()} == expected


def test_without_keys_a_row_is_a_neighbours_and_on_an_open_network_anyones(trained, serve, tmp_path, german_applicants):
    for name, variables in (("neighbour", {}), ("anyone", {"SCORER_OPEN_TO_NETWORK": "true"})):
        service = serve(trained, **variables)
        asked = [german_applicants[0] | {"application_id": f"private-{name}-{row}"} for row in range(3)]
        with httpx.Client(base_url=service.url, timeout=60) as client:
            predict(client, asked[0], {}).raise_for_status()
            infer(client, asked[1], {}).raise_for_status()
        with triton.InferenceServerClient(service.grpc) as client:
            client.infer(MODEL, inputs(triton, asked[2:]))
        service.stop()
        found = records(tmp_path / "var")
        assert [found[one["application_id"]].caller for one in asked] == [name] * 3


def test_under_mutual_tls_a_row_over_grpc_has_the_name_of_the_certificate(trained, serve, tmp_path, german_applicants):
    authority = Authority(tmp_path, "authority")
    ours, client = authority.issue("server", server=True), authority.issue("batch", server=False)
    settings = {"KEY": ours.key, "CERTIFICATE": ours.certificate, "CLIENT_CA": authority.file}
    service = serve(trained, **{f"SCORER_GRPC_{name}": str(path) for name, path in settings.items()})
    known = {"private_key": str(client.key), "certificate_chain": str(client.certificate)}
    applicant = german_applicants[0] | {"application_id": "private-certificate"}
    with triton.InferenceServerClient(
        service.grpc, ssl=True, root_certificates=str(authority.file), **known
    ) as connected:
        connected.infer(MODEL, inputs(triton, [applicant]))
    assert records(tmp_path / "var")["private-certificate"].caller == "certificate:batch"
