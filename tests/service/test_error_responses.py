"""One way to end a request in an error: the same shape, headers and count, whichever part of the service found it."""

import contextlib
import gc
import json
import shutil
import socket
import time

import pytest
import tritonclient.http as triton
from tritonclient.http._utils import _raise_if_error
from tritonclient.utils import InferenceServerException

from tests.service.conftest import until
from tests.service.tensors import inputs
from tests.service.test_keys import FILE, SECRETS

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
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as caller:
            caller.sendall(head.encode() + b'{"applicants": [')
    assert client.get("/readyz").status_code == 200
    assert (count("scorer_rejected_total"), count("scorer_predictions_total")) == before


def test_every_error_of_every_route_has_one_shape_and_an_id(client, routes):
    """A method that it has not, too many headers, a body that is no JSON, one that is compressed, and one too large."""
    many = {f"x-{number}": "a" for number in range(101)}
    for path, methods in routes.items():
        method = "POST" if "POST" in methods else "GET"
        faults = [("DELETE", b"", {}, 405), (method, b"", many, 431)]
        if method == "POST":
            faults += [("POST", b"{", {}, 400), ("POST", b"{}", {"content-encoding": "gzip"}, 415)]
            faults.append(("POST", b" " * (16 * 1024 * 1024 + 1), {}, 413))
        for verb, body, headers, status in faults:
            refused = client.request(verb, path, content=body, headers=headers)
            assert refused.status_code == status, (verb, path, refused.text)
            assert refused.headers["content-type"] == "application/json"
            assert {"code", "message"} <= refused.json()["error"].keys(), (verb, path)
            assert len(refused.headers["x-request-id"]) == 32, (verb, path)
            named = client.request(verb, path, content=body, headers=headers | {"x-request-id": "order 66"})
            assert named.headers.get_list("x-request-id") == ["order 66"], (verb, path)
    for path in ("/v2/models/nope/infer", "/v2/models/nope/stats", f"/v2/models/{MODEL}/versions/7", "/v2/nothing"):
        refused = client.post(path, content=b"{}") if path.endswith("infer") else client.get(path)
        assert (refused.status_code, len(refused.headers["x-request-id"])) == (404, 32)


@pytest.fixture(scope="module")
def v2(service):
    """An unmodified client."""
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}", network_timeout=60) as client:
        yield client
    del client
    gc.collect()  # gevent's parts of it, which the tracebacks of errors still hold, may not be freed by another thread


def one_row(v2, name, value):
    """An applicant of the shipped table, with one value changed."""
    metadata = json.loads(v2._get("model", {}, None).read())
    return inputs(triton, [metadata["example"] | {name: value}])


def posted(v2, path, headers=None):
    """A POST by the client's own means, and its own reading of the answer."""
    response = v2._post(request_uri=path, request_body=b"{}", headers=headers or {}, query_params=None)
    _raise_if_error(response)


CALLS = {  # of tritonclient, by what refuses them
    "V2": lambda v2: v2.get_model_metadata("nope"),
    "an extension": lambda v2: v2.get_model_config("nope"),
    "the router": lambda v2: v2.load_model("nope"),
    "the router, at shared memory": lambda v2: v2.get_system_shared_memory_status(),
    "the router's methods": lambda v2: posted(v2, f"v2/models/{MODEL}"),
    "the reader of bodies": lambda v2: posted(v2, f"v2/models/{MODEL}/infer", {"Content-Encoding": "gzip"}),
    "the schema": lambda v2: v2.infer(MODEL, one_row(v2, "job", "astronaut")),
    "the number of rows": lambda v2: v2.infer(MODEL, inputs(triton, [{"job": "skilled"}] * 10_001)),
    "the size of a body": lambda v2: v2.infer(MODEL, inputs(triton, [{"job": "x" * 17 * 1024 * 1024}])),
    "the deadline": lambda v2: v2.infer(MODEL, one_row(v2, "job", "skilled"), timeout=1),
    "the access middleware": lambda v2: v2.get_server_metadata(headers={f"x-{number}": "a" for number in range(120)}),
}


@pytest.mark.parametrize("refused_by", CALLS)
def test_tritonclient_can_print_every_error_under_v2(v2, refused_by):
    with pytest.raises(InferenceServerException) as caught:
        CALLS[refused_by](v2)
    assert caught.value.message()
    assert caught.value.message() in str(caught.value)


KEYED_CALLS = {  # by the status
    401: lambda v2, rows: v2.infer(MODEL, rows),
    "401 for an unknown key": lambda v2, rows: v2.get_model_metadata(MODEL, headers={"x-api-key": "nonsense"}),
    403: lambda v2, rows: v2.infer(MODEL, rows, headers={"x-api-key": SECRETS["reader"]}),
    "403 for metadata": lambda v2, rows: v2.get_model_config(MODEL, headers={"x-api-key": SECRETS["scorer"]}),
    429: lambda v2, rows: [v2.infer(MODEL, rows, headers={"x-api-key": SECRETS["slow"]}) for _ in range(9)],
    503: lambda v2, rows: v2.infer(MODEL, rows, headers={"x-api-key": SECRETS["scorer"]}),
}


def test_tritonclient_can_print_refusals_of_access_and_overload(trained, serve, tmp_path, german_applicants):
    (tmp_path / "keys.yaml").write_text(FILE)
    server = serve(trained, SCORER_KEYS_FILE=str(tmp_path / "keys.yaml"))
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60) as v2:
        for status, call in KEYED_CALLS.items():
            if status == 503:  # the log cannot be written, so nothing is scored
                shutil.rmtree(tmp_path / "var/decisions")
                (tmp_path / "var/decisions").write_text("in the way")
            with pytest.raises(InferenceServerException) as caught:
                call(v2, inputs(triton, german_applicants[:1]))
            assert caught.value.message(), status
            assert caught.value.message() in str(caught.value), status
            assert str(status)[:3] in str(caught.value.status()), status
    del v2, caught
    gc.collect()  # as above


@pytest.mark.parametrize("order", [["user-agent: Python gevent-http-client-2"], []], ids=["named", "not yet"])
def test_a_head_under_v2_that_never_ends_is_refused_in_text(service, order):
    """Sent in pieces, as no read takes all of it; whether the client has said who it is or would only later."""
    head = [f"GET /v2/models/{MODEL}/config HTTP/1.1", "host: localhost", *order]
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as caller:
        caller.sendall("\r\n".join(head).encode() + b"\r\nx-a: ")
        received = b""
        for _ in range(5):
            time.sleep(0.05)  # or the kernel joins the pieces
            caller.sendall(b"a" * 20_000)
        with contextlib.suppress(ConnectionError):
            while more := caller.recv(65536):
                received += more
    answer = json.loads(received.partition(b"\r\n\r\n")[2])
    assert b" 431 " in received.splitlines()[0]
    assert isinstance(answer["error"], str)


def test_binary_callers_read_the_error_as_text_and_others_as_an_object(client):
    url = f"/v2/models/{MODEL}/infer"
    text = client.post(url, content=b"{}", headers={"inference-header-content-length": "2"}).json()
    assert text.keys() == {"code", "error", "details"}
    assert isinstance(text["error"], str)
    assert json.loads(client.post(url, content=b"{}").content)["error"]["message"] == text["error"]
