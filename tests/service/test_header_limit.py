"""Heads of requests: too many headers, too long ones, and some that never end."""

import contextlib
import http.client
import socket

import psutil
import pytest

HEAD = b"GET /model HTTP/1.1\r\nhost: localhost\r\n"
MIB = 1 << 20


def answer(service, *parts: bytes) -> bytes:
    """What came back before the connection was closed or the answer was whole; empty when it was reset."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as caller, contextlib.suppress(OSError):
        for part in parts:
            caller.sendall(part)
        return caller.recv(1000)
    return b""


def memory(service) -> int:
    """Bytes that the service's processes hold."""
    main = psutil.Process(service.process.pid)
    return sum(process.memory_info().rss for process in (main, *main.children(recursive=True)))


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"x-a: " + b"a" * MIB + b"\r\n\r\n",
        HEAD + b"".join(b"x-%d: a\r\n" % number for number in range(10_000)) + b"\r\n",
        b"GET /" + b"a" * MIB + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        HEAD + b"a" * MIB + b": x\r\n\r\n",
    ],
    ids=["a long value", "many", "a long path", "a long name"],
)
def test_a_head_beyond_the_bounds_is_refused(service, client, head):
    answered = answer(service, head)
    assert answered == b"" or answered.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), answered
    assert client.get("/readyz").status_code == 200


def test_a_refused_head_is_answered_in_the_shape_of_errors(service, client):
    assert b'{"error":{"code":"too_large","message":"the head' in answer(service, HEAD + b"x-a: ", *[b"a" * 20_000] * 5)
    refused = client.get("/model", headers={f"x-{number}": "a" for number in range(200)})
    assert (refused.status_code, refused.json()["error"]["code"]) == (431, "too_large")


CHUNKED = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n"
ANSWERED = CHUNKED + b"content-encoding: gzip\r\n"  # refused, 415, before the body is read


@pytest.mark.parametrize(
    "start",
    [HEAD, CHUNKED + b"\r\n1\r\n{\r\n0\r\n", CHUNKED + b"\r\n1;", ANSWERED + b"\r\n1\r\n{\r\n0\r\n"],
    ids=["headers", "trailers", "a chunk's extension", "trailers after the answer"],
)
@pytest.mark.parametrize("part", [b"x-a: " + b"a" * MIB + b"\r\n", b"a" * MIB], ids=["many", "one"])
def test_headers_and_trailers_that_never_end_take_no_memory(service, client, start, part):
    client.get("/model")
    before, grown = memory(service), 0
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as caller:
        caller.sendall(start)
        for _ in range(512):
            try:
                caller.sendall(part)
            except OSError:
                break
            grown = max(grown, memory(service) - before)
        else:
            pytest.fail("512 MiB were taken")
    assert grown < 96 * MIB
    assert client.get("/readyz").status_code == 200


def test_a_head_may_come_in_pieces_and_bodies_may_be_long(service):
    answered = answer(service, b"GET /livez HTTP/1.1\r\n", b"host: localhost\r\nx-a: ", b"a" * 30_000, b"\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 200 ")
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % (4 * MIB)
    assert answer(service, head, *[b" " * MIB] * 4).startswith(b"HTTP/1.1 400 ")
    chunks = [b"1\r\n \r\n"] * 60_000  # six bytes for each that counts
    assert answer(service, CHUNKED + b"\r\n", *chunks, b"0\r\nx-a: a\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_who_is_refused_may_end_its_body_and_go_on(service):
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % (
        8 * MIB
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as caller:
        caller.sendall(head)
        refusal = http.client.HTTPResponse(caller)
        refusal.begin()
        assert refusal.status == 415
        refusal.read()  # to its end, which may come later than its head
        caller.sendall(b" " * (8 * MIB))
        caller.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert caller.recv(1000).startswith(b"HTTP/1.1 200 ")
