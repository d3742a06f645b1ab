"""Large requests: served up to the limits, refused beyond them, and never a burden for others."""

import json
import socket

import pytest


def test_ten_thousand_applicants_are_scored_and_one_more_is_refused(client, example):
    answer = client.post("/predict", json={"applicants": [example] * 10_000})
    assert answer.status_code == 200
    assert len(answer.json()) == 10_000
    answer = client.post("/predict", json={"applicants": [example] * 10_001})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert "at most 10000" in answer.json()["error"]["message"]


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
def test_two_hundred_megabytes_are_refused(client, declared):
    def chunks():
        for _ in range(200):
            yield b" " * 1_000_000

    content = b" " * 200_000_000 if declared else chunks()
    answer = client.post("/predict", content=content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_sender_that_asks_first_is_refused_before_it_sends(service):
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000000\r\nexpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as caller:
        caller.sendall(head)
        assert caller.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("filler", ["{}", "[]", "0", '"x"'])
def test_millions_of_values_are_refused_at_once(client, filler):
    body = f'{{"applicants": [{",".join([filler] * 4_000_000)}]}}'[: 15 << 20]
    answer = client.post("/predict", content=body)
    assert answer.status_code == 413


def test_an_applicant_of_a_hundred_thousand_fields_gets_twenty_faults(client):
    body = json.dumps({"applicants": [{f"field {number}": number for number in range(100_000)}]})
    error = client.post("/predict", content=body).json()["error"]
    assert len(error["details"]) == 20
