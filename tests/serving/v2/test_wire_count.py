"""Counting what a protobuf message would become, before it is parsed."""

import random

import pytest
from google.protobuf.message import DecodeError

from serving.v2.messages import Messages
from serving.v2.wire_count import fields_of, has_more

REQUEST = Messages()["ModelInferRequest"]
FIELDS = fields_of(REQUEST.DESCRIPTOR)


def field(number: int, payload: bytes) -> bytes:
    size = len(payload)
    length = b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + payload


BOMBS = {
    "inputs": field(5, b"") * 1000,
    "outputs": field(6, b"") * 1000,
    "raw contents": field(7, b"") * 1000,
    "parameters": field(4, b"") * 1000,
    "parameters of an input": field(5, field(4, b"") * 1000),
    "texts": field(5, field(5, field(8, b"") * 1000)),
    "a shape in one run": field(5, field(3, b"\1" * 1000)),
    "a shape by numbers": field(5, b"\x18\1" * 1000),
    "whole numbers in one run": field(5, field(5, field(3, b"\x81\1" * 1000))),
    "doubles in one run": field(5, field(5, field(7, bytes(8000)))),
    "before the damage": field(5, b"") * 1000 + b"\xff",
    "unknown ones": b"\x78\1" * 1000,
    "groups": b"\x7b\x7c" * 500,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_thousand_of_anything_are_counted(bomb):
    assert has_more(BOMBS[bomb], FIELDS, 990)
    assert not has_more(BOMBS[bomb], FIELDS, 1010)


@pytest.mark.parametrize("start", [b"\x08", b"\x2a", b""])
def test_a_number_without_an_end_is_damage_after_ten_bytes(start):
    """Added up, as many bytes as a message may have took hours."""
    assert not has_more(start + b"\xff" * 2_000_000, FIELDS, 10)


def test_a_message_within_counts_as_many():
    assert has_more(BOMBS["inputs"], FIELDS, 5000, weight=10)
    assert not has_more(BOMBS["raw contents"], FIELDS, 5000, weight=10)


def test_whatever_the_bytes_are_it_counts_and_raises_nothing():
    dice, parsed = random.Random(3), 0
    request = REQUEST(model_name="m", id="x" * 300)
    for index in range(20):
        tensor = request.inputs.add(name=f"n{index}", datatype="BYTES", shape=[3, 1])
        tensor.contents.bytes_contents.extend([b"a", b"b" * 200, b""])
        tensor.contents.int64_contents.extend([1, -1, 1 << 40])
    whole = request.SerializeToString()
    assert not has_more(whole, FIELDS, 20 * (1 + 3 + 2 + 5 + 3) + 5)
    for _ in range(3000):
        body = bytearray(whole)
        for _ in range(dice.randint(1, 5)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        has_more(bytes(body), FIELDS, 1 << 40)
        try:
            REQUEST.FromString(bytes(body))
        except DecodeError:
            parsed += 1
    assert 0 < parsed < 3000
