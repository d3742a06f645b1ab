"""Bodies that are small on the wire and large in memory, and large ones that are refused: neither leaves anything."""

import socket
from collections import Counter

import grpc
import pytest
from grpc import StatusCode

from tests.service.conftest import until
from tests.service.test_grpc import SERVICE
from tests.service.test_grpc_admission import MB, Peak, worker
from tests.serving.v2.test_wire_count import field

PREDICT, INFER, EXPLAIN = "/predict", "/v2/models/german_credit/infer", "/explain"
SIZE = 16 << 20
EMPTY = {"name": "a", "shape": [1], "datatype": "BYTES"}


def filled(head: str, filler: str, tail: str, size: int = SIZE) -> bytes:
    """A body of at most `size` bytes."""
    return (head + filler * ((size - len(head) - len(tail)) // len(filler)) + tail).encode()


LARGE = {  # refused, whatever they cost
    "no JSON at its end": (PREDICT, filled('{"applicants": [', " ", "x")),
    "one text": (PREDICT, filled('{"applicants": "', "x", '"}')),
    "many names": (PREDICT, filled('{"applicants": [{"a": 1', "," + " " * 600 + '"b": 1', "}]}")),
    "objects": (PREDICT, filled('{"applicants": [', "{}," + " " * 1700, "0]}")),
    "one text over V2": (INFER, filled('{"inputs": "', "x", '"}')),
    "a text for an element": (INFER, filled('{"inputs": [{"name": "a", "shape": [1], "data": ["', "x", '"]}]}')),
    "to be explained": (EXPLAIN, filled('{"applicants": [{"a": "', "x", '"}]}')),
}
BOMBS = {
    "inputs": (INFER, filled('{"inputs": [', "{},", "{}]}")),
    "few enough marks": (INFER, filled('{"inputs": [', "{},", "{}]}", 1_000_000)),
    "outputs": (INFER, filled('{"inputs": [], "outputs": [', '{"name":"a"},', '{"name":"a"}]}')),
    "parameters": (INFER, filled('{"inputs": [], "parameters": {', '"a":{},', '"a":{}}}')),
    "arrays": (INFER, filled('{"inputs": [{"name":"a","shape":[1],"datatype":"BYTES","data":[', "[],", "[]]}]}")),
    "deep arrays": (INFER, filled('{"inputs": [{"name":"a","shape":[1],"datatype":"BYTES","data":', "[", "")),
    "not too deep arrays": (INFER, filled('{"inputs": ', "[", "", 400_000)),
    "a shape": (INFER, filled('{"inputs": [{"name":"a","datatype":"BYTES","data":["x"],"shape":[1', ",1", "]}]}")),
    "objects": (PREDICT, filled('{"applicants": [', "{},", "{}]}")),
    "deep objects": (PREDICT, filled('{"applicants": ', '{"a":', "1")),
}
WIRE = {
    "inputs": field(5, b""),
    "outputs": field(6, b""),
    "parameters": field(4, b""),
    "raw contents": field(7, b""),
}


def post(server, path, body):
    """The status and the body of the answer."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head.encode() + body)
        while part := connection.recv(65536):
            answer += part
    return int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]


def test_large_bodies_that_are_refused_leave_nothing(service):
    for path, body in LARGE.values():
        post(service, path, body)
    peak = Peak(worker(service))
    for what, (path, body) in list(LARGE.items()) * 3:
        assert 400 <= post(service, path, body)[0] < 500, what
    left = worker(service).memory_info().rss / MB - peak.before
    assert left < 150, "none of them is kept: 21 of 16 MiB were"
    until(peak.is_back, within_s=60)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_over_http_becomes_little(service, bomb):
    peak = Peak(worker(service))
    status, answer = post(service, *BOMBS[bomb])
    assert 400 <= status < 500, answer
    assert peak.growth < 300


@pytest.mark.parametrize("bomb", [*WIRE, "texts", "parameters of an input", "numbers", "a shape", "other elements"])
def test_a_bomb_over_grpc_becomes_little(service, bomb):
    many = 3_000_000
    body = {
        **{name: tag * many for name, tag in WIRE.items()},
        "texts": field(5, field(5, field(8, b"") * many)),
        "parameters of an input": field(5, field(4, b"") * many),
        "numbers": field(5, field(5, field(3, b"\1" * 2 * many))),
        "a shape": field(5, field(3, b"\1" * 2 * many)),
        "other elements": b"\x78\1" * many,
    }[bomb]
    peak, codes = Peak(worker(service)), Counter()
    with grpc.insecure_channel(service.grpc) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{SERVICE}/ModelInfer")(body, timeout=60)
        codes[caught.value.code()] += 1
    assert codes == {StatusCode.RESOURCE_EXHAUSTED: 1}
    assert "more values than" in caught.value.details()
    assert peak.growth < 60
