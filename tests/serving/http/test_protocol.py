"""The connection: its limits and deadlines, and that the fast path and uvicorn's own answer the same bytes alike."""

import asyncio
import json
import re
import socket
import time

import pytest
from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models.prediction import Prediction
from models.schema import Schema
from serving.http import connection_settings
from serving.http.connection import MAX_HEAD_BYTES, Limits
from serving.http.protocol import ScorerProtocol
from tests.models.tables import german_credit
from tests.serving.http.servers import Stand, score_batch
from tests.serving.http.streams import Streams, exchange

PATIENT = Limits(timeout_s=30, idle_s=30)
HURRIED = Limits(timeout_s=0.5, idle_s=2)


@pytest.fixture(scope="module")
def streams(german_applicants):
    """Requests, and what becomes of them when they are mutated."""
    return Streams(german_applicants)


@pytest.fixture(scope="module")
def schema():
    """German Credit."""
    return Schema(german_credit())


@pytest.fixture
def stand():
    """Where servers are started."""
    stand = Stand()
    yield stand
    stand.stop()


def ask(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send the parts; all that comes back until the server closes or is silent for a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(pause_s)
        client.settimeout(1)
        received = b""
        try:
            while more := client.recv(65536):
                received += more
        except TimeoutError:
            return received
        return received + b"<closed>"


def request_of(body: bytes) -> bytes:
    """A plain request."""
    return b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_uvicorns_own_protocol_and_ours_answer_two_thousand_streams_alike(stand, schema, streams):
    ours, theirs = (stand.start(schema, kind, PATIENT) for kind in (ScorerProtocol, HttpToolsProtocol))
    differing = asyncio.run(streams.compare(ours, theirs, seeds=range(2_000), at_once=40))
    assert differing == []


def test_the_requests_that_the_comparison_sends_take_both_ways_and_end_in_every_way(stand, schema, streams):
    port = stand.start(schema, ScorerProtocol, PATIENT)
    answered = [asyncio.run(exchange(port, streams.pieces(seed))) for seed in range(150)]
    seen = {status for received in answered for status in statuses(received)}
    assert {200, 400, 404, 405, 413, 415, 422} <= seen
    assert any(len(statuses(received)) > 2 for received in answered), "none was pipelined"


@pytest.mark.slow
def test_only_plain_requests_of_known_length_take_the_short_way(stand, schema, streams, monkeypatch):
    taken = []
    original = ScorerProtocol.complete_request

    def noted(self):
        taken.append(type(self.cycle).__name__ == "Exchange")
        original(self)

    monkeypatch.setattr(ScorerProtocol, "complete_request", noted)
    port = stand.start(schema, ScorerProtocol, PATIENT)
    body = streams.body(0)
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n" % len(body)
    chunked = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    cases = {
        head + b"\r\n" + body: (True, 200),
        head + b"connection: close\r\nx-request-id: order 66\r\n\r\n" + body: (True, 200),
        chunked % (len(body), body): (False, 200),
        head + b"expect: 100-continue\r\n\r\n" + body: (False, 100),
        head + b"content-encoding: gzip\r\n\r\n" + body: (False, 415),
        head + b"x-forwarded-for: 192.0.2.1\r\n\r\n" + body: (False, 403),
        head.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + body: (False, 200),
        head.replace(b"POST /predict", b"PUT /predict") + b"\r\n" + body: (False, 404),
        head.replace(b"/predict", b"/predict?x=1") + b"\r\n" + body: (False, 200),
        head.replace(b"/predict", b"/other") + b"\r\n" + body: (False, 200),
    }
    for request, (short, status) in cases.items():
        taken.clear()
        assert statuses(ask(port, request))[0] == status, request
        assert taken == [short], request


@pytest.mark.slow
def test_a_body_behind_an_offer_of_h2c_is_kept_on_every_way_and_the_connection_goes_on(stand, schema, streams):
    port = stand.start(schema, ScorerProtocol, PATIENT)
    body = streams.body(0)
    offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    head = b"POST %b HTTP/1.1\r\nhost: localhost\r\n" + offer + b"content-length: %d\r\n\r\n"
    chunks = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    whole = head % (b"/predict", len(body)) + body
    plain = whole.replace(offer, b"")
    expected = json.loads(ask(port, plain).rpartition(b"\r\n\r\n")[2])
    for parts in (
        [whole],
        [whole[: -len(body)], body],
        [whole[:40], whole[40:-99], whole[-99:]],
        [b"POST /predict HTTP/1.1\r\nhost: localhost\r\n" + offer + chunks],
    ):
        received = ask(port, *parts, plain, pause_s=0.05)
        answers = re.findall(rb"\r\n\r\n(\[.*?\])", received)
        assert [json.loads(answer) for answer in answers] == [expected, expected], received
    received = ask(port, head % (b"/other", len(body)) + body)
    assert b'{"method":"POST","body":%d}' % len(body) in received


@pytest.mark.slow
def test_slow_heads_slow_bodies_and_idle_connections_end(stand, schema, streams):
    port = stand.start(schema, ScorerProtocol, HURRIED)
    body = streams.body(0)
    head = b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"
    ends = {
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\n": 408,
        head % (b"/predict", len(body)) + body[:-1]: 504,
        head % (b"/predict?x=1", len(body)) + body[:-1]: 504,
    }
    for sent, status in ends.items():
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(sent)
            received = b""
            while more := client.recv(65536):
                received += more
        assert statuses(received) == [status], sent
        assert b'{"error":{"code":"timeout"' in received
    for sent in (b"", head % (b"/predict", len(body)) + body):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(sent)
            began_s = time.monotonic()
            while client.recv(65536):
                pass
        assert time.monotonic() - began_s > HURRIED.idle_s - 0.1, "an idle connection was closed too early"


@pytest.mark.slow
def test_a_client_that_keeps_sending_is_never_idle_nor_late(stand, schema, streams):
    port = stand.start(schema, ScorerProtocol, HURRIED)
    request = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(
        streams.body(0)
    ) + streams.body(0)
    received = ask(port, *[request] * 8, pause_s=0.5)
    assert statuses(received) == [200] * 8


def test_a_head_without_end_is_refused(stand, schema):
    port = stand.start(schema, ScorerProtocol, PATIENT)
    received = ask(port, b"GET /other HTTP/1.1\r\nhost: localhost\r\n", *[b"x-a: " + b"a" * 20_000 + b"\r\n"] * 4)
    assert statuses(received) == [431]
    assert str(MAX_HEAD_BYTES).encode() in received
    assert received.endswith(b"<closed>")


def test_what_is_no_http_is_refused_in_the_shape_of_errors(stand, schema):
    port = stand.start(schema, ScorerProtocol, PATIENT)
    received = ask(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert statuses(received) == [400]
    assert b'{"error":{"code":"bad_request"' in received
    assert received.endswith(b"<closed>")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"GET http://scorer.bank/other", 200),
        (b"GET http://scorer.bank", 404),  # the root, which this server does not have
        (b"GET http://scorer.bank?a=1", 404),
        (b"GET http://scorer.bank:80", 404),
        (b"OPTIONS *", 404),
        (b"CONNECT scorer.bank:443", 400),
        (b"GET http://", 400),
    ],
)
def test_every_form_of_a_target_is_answered_and_none_is_a_fault_of_ours(stand, schema, target, status):
    port = stand.start(schema, ScorerProtocol, PATIENT)
    assert statuses(ask(port, target + b" HTTP/1.1\r\nhost: scorer.bank\r\n\r\n")) == [status]


def test_a_client_that_goes_takes_its_rows_along(stand, schema, streams):
    scored = []

    def slowly(rows):
        scored.append([row.applicant.application_id for row in rows])
        time.sleep(0.3)  # holds the loop up, so that what arrives meanwhile is in one turn
        return score_batch(rows)

    port = stand.start(schema, ScorerProtocol, PATIENT, slowly)
    requests = [streams.body(number, row=f"r-{number}") for number in range(3)]
    heads = [
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) for body in requests
    ]
    clients = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in requests]
    clients[0].sendall(heads[0] + requests[0])
    time.sleep(0.1)
    clients[1].sendall(heads[1] + requests[1])
    clients[1].close()
    clients[2].sendall(heads[2] + requests[2])
    assert statuses(clients[2].recv(65536)) == [200]
    assert statuses(clients[0].recv(65536)) == [200]
    assert "r-2" in [name for batch in scored for name in batch]
    clients[0].close()
    clients[2].close()


def test_a_shutdown_answers_what_was_admitted_and_closes(schema, streams):
    def slowly(rows):
        time.sleep(0.5)
        return score_batch(rows)

    stand = Stand()
    port = stand.start(schema, ScorerProtocol, PATIENT, slowly)
    body = streams.body(0)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as busy,
        socket.create_connection(("127.0.0.1", port), timeout=10) as idle,
    ):
        busy.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.1)
        stand.stop()
        received = busy.recv(65536)
        assert statuses(received) == [200]
        assert busy.recv(1) == b""
        assert idle.recv(1) == b""


def test_a_response_that_cannot_be_encoded_is_a_fault_of_ours_and_the_connection_goes_on(stand, schema, streams):
    """Half a character in a tag can be answered by nobody; the row before and after it can."""

    def score(rows):
        broken = any(row.applicant.application_id == "broken" for row in rows)
        return [Prediction("x", 0.5, "decline", "\ud800" if broken else "m:1") for _ in rows]

    port = stand.start(schema, ScorerProtocol, PATIENT, score)
    requests = [request_of(streams.body(0, row=row)) for row in ("a", "broken", "b")]
    for chunk in (requests, requests * 8):  # one by one after a while, and together
        received = ask(port, *chunk, pause_s=0.02)
        assert statuses(received) == [200, 500, 200] * (len(chunk) // 3)
    assert received.count(b'"code":"internal_error"') == 8


def test_a_head_behind_a_large_body_in_one_read_is_not_taken_for_a_long_one(stand, schema, streams):
    port = stand.start(schema, ScorerProtocol, PATIENT)
    body = streams.body(0)
    large = body + b" " * (90_000 - len(body))
    one, two = request_of(large), request_of(body)
    received = ask(port, one[:-70_000], one[-70_000:] + two[:9], two[9:], pause_s=0.1)
    assert statuses(received) == [200, 200]
    received = ask(port, two * 300 + two[:20], two[20:], pause_s=0.1)
    assert statuses(received) == [200] * 301


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02\r\n\r\n", b"x-a: " + b"a" * 200_000])
def test_a_request_on_its_way_is_answered_before_what_follows_it_is_refused(stand, schema, streams, garbage):
    def slowly(rows):
        time.sleep(0.2)
        return score_batch(rows)

    port = stand.start(schema, ScorerProtocol, PATIENT, slowly)
    received = ask(port, request_of(streams.body(0)) * 2 + garbage)
    assert statuses(received)[:1] == [200], "the refusal would be taken for the answer"
    assert received.endswith(b"<closed>")


def test_an_offer_of_a_websocket_is_declined_and_the_request_answered_once(stand, schema, streams):
    port = stand.start(schema, ScorerProtocol, PATIENT)
    offer = b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: x\r\n"
    request = request_of(streams.body(0)).replace(b"host: localhost\r\n", b"host: localhost\r\n" + offer)
    assert statuses(ask(port, request)) == [200]


def test_it_is_registered_where_uvicorn_looks_and_left_alone_where_uvicorn_has_changed(monkeypatch, caplog):
    """Fails when uvicorn's protocol lacks a part that ours overrides or calls."""
    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", "before")
    assert connection_settings.register()
    assert HTTP_PROTOCOLS["auto"] == "serving.http.protocol:ScorerProtocol"
    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", "before")
    monkeypatch.delattr(HttpToolsProtocol, "_start_asgi_task")
    assert not connection_settings.register()
    assert HTTP_PROTOCOLS["auto"] == "before"
    assert "uvicorn's HTTP protocol has changed" in caplog.text


def test_the_census_counts_the_connections_that_are_open_and_those_that_were(stand, schema):
    port = stand.start(schema, ScorerProtocol, PATIENT)
    before = ScorerProtocol.census()
    request = b"GET /other HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(request)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        ask(port, request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert ScorerProtocol.census() == (before.so_far + 2, 1)
