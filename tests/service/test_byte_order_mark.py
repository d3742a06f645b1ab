"""A byte order mark in front of JSON, as Windows' editors and .NET write it: read past on every route, both ways."""

import codecs
import json

import pytest

MODEL = "german_credit"


@pytest.fixture(scope="module")
def bodies(example):
    """A body for each route that takes JSON."""
    applicant = {**example, "application_id": "private-bom"}
    tensors = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in applicant.items()
    ]
    return {
        "/predict": {"applicants": [applicant]},
        "/explain": {"applicants": [applicant]},
        f"/v2/models/{MODEL}/infer": {"inputs": tensors},
        "/v2/repository/index": {"ready": True},
    }


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("path", ["/predict", "/explain", f"/v2/models/{MODEL}/infer", "/v2/repository/index"])
def test_a_body_with_a_mark_has_the_answer_of_the_same_body_without(client, bodies, path, chunked):
    def ask(body: bytes):
        return client.post(path, content=iter([body[:10], body[10:]]) if chunked else body)

    good = json.dumps(bodies[path]).encode()
    bad = json.dumps({"applicants": [{"x": 1}], "inputs": [{"name": "x"}], "ready": 1}).encode()
    for body, status in ((good, {200}), (bad, {400, 422}), (b"{", {400})):
        plain, marked = ask(body), ask(codecs.BOM_UTF8 + body)
        assert plain.status_code in status, plain.text
        assert (marked.status_code, marked.content) == (plain.status_code, plain.content)


@pytest.mark.parametrize("path", ["/predict", "/explain", f"/v2/models/{MODEL}/infer", "/v2/repository/index"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig twice"])
def test_other_encodings_and_a_second_mark_are_refused(client, bodies, path, encoding):
    """RFC 8259: JSON is UTF-8."""
    text = json.dumps(bodies[path])
    twice = codecs.BOM_UTF8 * 2 + text.encode()
    refused = client.post(path, content=twice if "twice" in encoding else text.encode(encoding))
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "invalid_json"


def test_a_mark_counts_as_part_of_the_json_before_binary_tensors(client, bodies):
    path = f"/v2/models/{MODEL}/infer"
    body = codecs.BOM_UTF8 + json.dumps(bodies[path]).encode()
    answer = client.post(path, content=body, headers={"inference-header-content-length": str(len(body))})
    assert answer.status_code == 200, answer.text
