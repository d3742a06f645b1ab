"""Bad requests: the contract's shape, each fault named, nothing scored, nothing broken."""

import json
import socket

import pytest

GOOD, BAD = "GOOD", "BAD"  # stand for an applicant that is valid, and one that is not

ENVELOPES = {
    "no body": b"",
    "no JSON": b"{",
    "a half of a body": b'{"applicants": [{"duration_months": 1',
    "bytes": b"\xff\xfe\x00",
    "text in Latin-1": '{"applicants": [{"purpose": "möbel"}]}'.encode("latin-1"),
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94.",
    "a list": b"[]",
    "null": b"null",
    "another key": b'{"applicant": []}',
    "one key more": b'{"applicants": [], "more": 1}',
    "applicants twice": b'{"applicants": [], "applicants": []}',
    "no list": b'{"applicants": {}}',
    "deep nesting": b'{"applicants": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"applicants": [' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}",
}

VALUES = {
    "negative": ("duration_months", "-3", -3, "must be at least 1"),
    "too large": ("duration_months", "1000", 1000, "must be at most 120"),
    "a fraction": ("duration_months", "6.5", 6.5, "must be a whole number"),
    "text": ("duration_months", '"6"', "6", "must be a number"),
    "true": ("duration_months", "true", True, "must be a number"),
    "null": ("duration_months", "null", None, "must not be null"),
    "a list": ("duration_months", "[6]", "a list", "must be a number"),
    "an object": ("duration_months", '{"a": 6}', "an object", "must be a number"),
    "NaN": ("duration_months", "NaN", "NaN", "must be finite"),
    "Infinity": ("credit_amount", "Infinity", "Infinity", "must be finite"),
    "-Infinity": ("credit_amount", "-Infinity", "-Infinity", "must be finite"),
    "1e400": ("credit_amount", "1e400", "Infinity", "must be finite"),
    "a huge number": ("credit_amount", "9" * 30, 1e30, "must be at most"),
    "an unknown category": ("housing", '"castle"', "castle", "must be one of: "),
    "a number for a category": ("housing", "1", 1, "must be text"),
    "half a character": ("housing", r'"\ud800"', "\N{REPLACEMENT CHARACTER}", "must be one of: "),
    "an id that is too long": ("application_id", f'"{"x" * 65}"', "x" * 63 + "…", "must be text of 1 to 64 characters"),
    "an id that is empty": ("application_id", '""', "", "must be text of 1 to 64 characters"),
    "an id that is a number": ("application_id", "7", 7, "must be text of 1 to 64 characters"),
    "an unknown field": ("duration", "6", 6, "unknown field; did you mean duration_months?"),
}


def error_of(answer, status):
    """The error of an answer, once it has been seen to have the contract's shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert {"code", "message"} <= set(body["error"]) <= {"code", "message", "details"}
    assert "Traceback" not in answer.text
    return body["error"]


@pytest.mark.parametrize("body", ENVELOPES.values(), ids=ENVELOPES)
def test_what_is_not_the_envelope_is_refused(client, count, body):
    logged = count("scorer_logged_rows_total")
    assert error_of(client.post("/predict", content=body), 400)["code"] in ("invalid_json", "invalid_envelope")
    assert count("scorer_logged_rows_total") == logged


@pytest.mark.parametrize(("field", "text", "shown", "message"), VALUES.values(), ids=VALUES)
def test_a_refused_value_is_named_with_row_field_value_and_what_is_allowed(
    client, example, count, field, text, shown, message
):
    logged = count("scorer_logged_rows_total")
    bad = json.dumps(example | {field: BAD}).replace(f'"{BAD}"', text)
    answer = client.post("/predict", content=f'{{"applicants": [{json.dumps(example)}, {bad}]}}')
    error = error_of(answer, 422)
    assert error["code"] == "invalid_applicant"
    (detail,) = error["details"]
    assert (detail["row"], detail["field"], detail["value"]) == (1, field, shown)
    assert detail["message"].startswith(message)
    assert count("scorer_logged_rows_total") == logged, "its good neighbour in the same request was scored"


def test_missing_fields_doubled_keys_and_what_is_no_object_are_refused(client, example):
    missing = {name: value for name, value in example.items() if name != "housing"}
    (detail,) = error_of(client.post("/predict", json={"applicants": [missing]}), 422)["details"]
    assert (detail["field"], detail["message"]) == ("housing", "is missing")

    doubled = json.dumps(example).replace("{", '{"housing": "own", ', 1)
    (detail,) = error_of(client.post("/predict", content=f'{{"applicants": [{doubled}]}}'), 422)["details"]
    assert (detail["field"], detail["message"]) == ("housing", "is given twice")

    (detail,) = error_of(client.post("/predict", json={"applicants": [7]}), 422)["details"]
    assert (detail["row"], detail["field"], detail["message"]) == (0, None, "must be an object of features")

    (detail,) = error_of(client.post("/predict", json={"applicants": []}), 422)["details"]
    assert detail["message"] == "must hold at least one applicant"


def test_every_fault_is_listed_up_to_twenty(client, example):
    bad = example | {"duration_months": -1, "housing": "castle"}
    error = error_of(client.post("/predict", json={"applicants": [bad, example, bad]}), 422)
    assert [(detail["row"], detail["field"]) for detail in error["details"]] == [
        (0, "duration_months"),
        (0, "housing"),
        (2, "duration_months"),
        (2, "housing"),
    ]
    error = error_of(client.post("/predict", json={"applicants": [bad] * 50}), 422)
    assert len(error["details"]) == 20
    assert "the first of them listed" in error["message"]


def test_refusals_are_counted_by_their_code(client, count):
    before = {code: count(f'scorer_rejected_total{{reason="{code}"') for code in ("invalid_json", "not_found")}
    client.post("/predict", content=b"{")
    client.get("/nowhere")
    for code, value in before.items():
        assert count(f'scorer_rejected_total{{reason="{code}"') == value + 1, code


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("DELETE", "/model", 405, "method_not_allowed"),
    ],
)
def test_other_routes_and_methods_are_refused_in_the_same_shape(client, method, path, status, code):
    answer = client.request(method, path)
    assert error_of(answer, status)["code"] == code
    if status == 405:
        assert answer.headers["allow"]


def test_a_compressed_body_is_refused(client):
    answer = client.post("/predict", content=b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert error_of(answer, 415)["code"] == "unsupported_media_type"


def test_a_body_cut_off_by_its_sender_harms_nobody(service, client, example):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", service.port)) as caller:
            caller.sendall(b'POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{"applicants"')
    assert client.post("/predict", json={"applicants": [example]}).status_code == 200
