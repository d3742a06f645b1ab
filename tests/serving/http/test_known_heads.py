"""Heads that were parsed before: which are remembered, and that nothing else about an answer depends on them."""

import asyncio
import hashlib
import re
import socket
from contextlib import closing

import pytest

from models.schema import Schema
from serving.access.authenticator import Authenticator
from serving.access.middleware import AccessPolicy
from serving.http.connection import Limits
from serving.http.known_heads import MAX_BYTES, MAX_HEADS, KnownHeads
from serving.http.protocol import ScorerProtocol
from tests.models.tables import german_credit
from tests.serving.http.servers import Stand
from tests.serving.http.streams import VARYING, Streams

PATIENT = Limits(timeout_s=30, idle_s=30)
HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"


class Observed(ScorerProtocol):
    """Counts the requests whose heads were known, and those of them that were admitted."""

    known = admitted = 0

    def _begin_known(self, known, data):
        Observed.known += 1
        admitted = super()._begin_known(known, data)
        Observed.admitted += admitted
        return admitted


class FromElsewhere(Observed):
    """A connection from another machine."""

    def connection_made(self, transport):
        super().connection_made(transport)
        self.client = ("192.0.2.7", 40_000)


@pytest.fixture(scope="module")
def schema():
    """German Credit."""
    return Schema(german_credit())


@pytest.fixture(scope="module")
def body(german_applicants):
    """A good one."""
    return Streams(german_applicants).body(0)


@pytest.fixture
def stand():
    """Where servers are started; nothing is counted yet."""
    Observed.known = Observed.admitted = 0
    stand = Stand()
    yield stand
    stand.stop()


def counted(stand: Stand) -> tuple[int, int]:
    """How many heads were known, and how many of these admitted, once the turn of the loop is over that answered."""
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), stand.loop).result()
    return Observed.known, Observed.admitted


def ask(client: socket.socket, request: bytes) -> bytes:
    """Send one request in one piece; its response, without what differs by chance."""
    client.sendall(request)
    received = b""
    while not (found := re.search(rb"content-length: (\d+)\r\n(?:[^\r\n]+\r\n)*\r\n", received)) or (
        len(received) < found.end() + int(found[1])
    ):
        more = client.recv(65536)
        if not more:
            break
        received += more
    return re.sub(VARYING, b"", received)


def connect(port: int) -> closing[socket.socket]:
    return closing(socket.create_connection(("127.0.0.1", port), timeout=10))


def test_requests_with_a_known_head_are_answered_like_the_first(stand, schema, body):
    port = stand.start(schema, Observed, PATIENT)
    broken = body.replace(b'"duration_months"', b'"duration_monthz"')
    requests = [HEAD % len(one) + one for one in (body, broken, body[:-1], body[:-2] + b" ")]
    with connect(port) as client:
        first = [ask(client, request) for request in requests]
        before, _ = counted(stand)
        again = [ask(client, request) for request in requests]
    with connect(port) as another:
        others = [ask(another, request) for request in requests]
    assert first == again == others
    assert [int(answer.split()[1]) for answer in first] == [200, 422, 400, 400]
    assert (before, *counted(stand)) == (2, 10, 10), "two of the first four share their length"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\nx-request-id: order 66\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\nconnection: close\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\nexpect: 100-continue\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\nx-forwarded-for: 192.0.2.1\r\n\r\n",
        b"\r\n\r\nPOST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\na: " + b"x" * MAX_BYTES + b"\r\n\r\n",
        b"POST /predict?x=1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n",
        b"POST /predict HTTP/1.0\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n",
    ],
)
def test_what_does_not_come_again_or_is_answered_elsewhere_is_not_remembered(stand, schema, body, head):
    port = stand.start(schema, Observed, PATIENT)
    answers = []
    for _ in range(2):
        with connect(port) as client:
            answers.append(ask(client, head % len(body) + body))
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"HTTP/1.1 ")
    assert counted(stand) == (0, 0)


@pytest.mark.parametrize("behind", [b"POST /predict HTTP/1.1\r\n", b"GET /other HTTP/1.1\r\nhost: localhost\r\n\r\n"])
def test_a_known_head_with_more_behind_its_body_is_parsed(stand, schema, body, behind):
    port = stand.start(schema, Observed, PATIENT)
    request = HEAD % len(body) + body
    with connect(port) as client:
        first = ask(client, request)
        together = ask(client, request + behind)
    assert together.startswith(first)
    assert counted(stand) == (0, 0)


def test_a_body_is_never_taken_for_a_head(stand, schema, body):
    port = stand.start(schema, Observed, PATIENT)
    hidden = HEAD % len(body) + body  # in the body of another request, and alone on a connection before it
    whole = HEAD % len(hidden) + hidden
    with connect(port) as client:
        ask(client, hidden)
        client.sendall(whole[: -len(hidden)])
        answer = ask(client, hidden)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"not JSON" in answer
    assert counted(stand) == (0, 0)


def test_a_known_head_admits_nobody_whose_key_has_gone(stand, schema, body, tmp_path):
    secret, path = "cs_" + "k" * 43, tmp_path / "keys.yaml"
    listed = "keys:\n  - name: batch\n    sha256: {}\n    permissions: [predict]\n"
    path.write_text(listed.format(hashlib.sha256(secret.encode()).hexdigest()))
    authenticator = Authenticator(path)
    port = stand.start(schema, Observed, PATIENT, access=AccessPolicy(authenticator, open_to_network=False))
    request = (HEAD % len(body)).replace(b"\r\n\r\n", b"\r\nx-api-key: %b\r\n\r\n" % secret.encode()) + body
    with connect(port) as client:
        admitted = [ask(client, request).split()[1] for _ in range(2)]
        path.write_text(listed.format(hashlib.sha256(b"another").hexdigest()))
        authenticator.reload_if_changed()
        refused = ask(client, request)
    assert admitted == [b"200", b"200"]
    assert refused.split()[1] == b"401"
    assert counted(stand) == (2, 1)


def test_a_head_known_from_this_machine_admits_no_other(stand, schema, body):
    elsewhere = stand.start(schema, FromElsewhere, PATIENT)
    here = stand.start(schema, Observed, PATIENT)
    request = HEAD % len(body) + body
    with connect(here) as neighbour, connect(elsewhere) as other:
        admitted = [ask(neighbour, request).split()[1] for _ in range(2)]
        refused = [ask(other, request).split()[1] for _ in range(2)]
    assert admitted == [b"200", b"200"]
    assert refused == [b"403", b"403"]
    assert counted(stand) == (3, 1)


def test_only_so_many_heads_are_remembered():
    heads = KnownHeads()
    sent = [b"POST /predict HTTP/1.1\r\nx-number: %d\r\ncontent-length: 2\r\n\r\n" % number for number in range(2000)]
    for number, head in enumerate(sent):
        parsed = [(b"x-number", b"%d" % number), (b"content-length", b"2")]
        heads.remember(head, None, b"/predict", {"headers": parsed, "client": None})
    kept = [head for head in sent if heads.get(head)]
    assert 0 < len(kept) <= MAX_HEADS
    assert kept[-1] == sent[-1]
