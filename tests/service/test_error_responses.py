"""One way to end a request in an error: the same shape, headers and count, whichever part of the service found it."""

import json
import socket

import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.service.conftest import until

MODEL = "german_credit"
ERRORS = {  # by what finds the error
    "the decoder": ("POST", "/predict", {"x": 1}, 400),
    "the schema": ("POST", "/predict", {"applicants": [{}]}, 422),
    "the size limit": ("POST", "/predict", {"applicants": [{}] * 10_001}, 413),
    "explain": ("POST", "/explain", {"x": 1}, 400),
    "the lookup of a decision": ("POST", "/explain", {"application_id": "no-such-id"}, 404),
    "V2": ("POST", f"/v2/models/{MODEL}/infer", {"inputs": []}, 422),
    "V2's model": ("POST", "/v2/models/nope/infer", {"inputs": []}, 404),
    "the router": ("GET", "/nowhere", None, 404),
    "the router's methods": ("DELETE", "/explain", None, 405),
    "the access middleware": ("GET", "/model", None, 431),
}


@pytest.mark.parametrize("found_by", ERRORS)
def test_an_error_has_one_shape_an_id_and_is_counted_once(client, count, found_by):
    method, path, body, status = ERRORS[found_by]
    headers = {f"x-{number}": "a" for number in range(100)} if status == 431 else {}
    before = count("scorer_rejected_total")
    refused = client.request(method, path, json=body, headers=headers)
    assert refused.status_code == status, refused.text
    assert refused.headers["content-type"] == "application/json"
    assert refused.json().keys() == {"error"}
    assert {"code", "message"} <= refused.json()["error"].keys()
    assert len(refused.headers["x-request-id"]) == 32, "generated where the caller sends none"
    sent = client.request(method, path, json=body, headers=headers | {"x-request-id": "order 66"})
    assert sent.headers.get_list("x-request-id") == ["order 66"]
    until(lambda: count("scorer_rejected_total") == before + 2)


@pytest.mark.parametrize("path", ["/predict", "/explain", f"/v2/models/{MODEL}/infer"])
def test_a_client_that_leaves_in_the_middle_of_its_body_costs_nothing(service, client, count, path):
    before = count("scorer_rejected_total"), count("scorer_predictions_total")
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as caller:
            caller.sendall(head.encode() + b'{"applicants": [')
    assert client.get("/readyz").status_code == 200
    assert (count("scorer_rejected_total"), count("scorer_predictions_total")) == before


@pytest.fixture(scope="module")
def v2(service):
    """An unmodified client."""
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}", network_timeout=60) as client:
        yield client


CALLS = {  # of tritonclient, by what refuses them
    "V2": lambda v2: v2.get_model_metadata("nope"),
    "the router": lambda v2: v2.get_model_config(MODEL),
    "the router, at the repository": lambda v2: v2.get_model_repository_index(),
    "the access middleware": lambda v2: v2.get_server_metadata(headers={f"x-{number}": "a" for number in range(120)}),
}


@pytest.mark.parametrize("refused_by", CALLS)
def test_tritonclient_can_print_every_error_under_v2(v2, refused_by):
    with pytest.raises(InferenceServerException) as caught:
        CALLS[refused_by](v2)
    assert caught.value.message()
    assert caught.value.message() in str(caught.value)


def test_binary_callers_read_the_error_as_text_and_others_as_an_object(client):
    url = f"/v2/models/{MODEL}/infer"
    text = client.post(url, content=b"{}", headers={"inference-header-content-length": "2"}).json()
    assert text.keys() == {"code", "error", "details"}
    assert isinstance(text["error"], str)
    assert json.loads(client.post(url, content=b"{}").content)["error"]["message"] == text["error"]
