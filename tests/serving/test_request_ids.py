"""Ids of requests: those that callers bring, and those that are made."""

import asyncio
import contextvars

import pytest

from serving.request_ids import HEADER, begin, request_id, unasked


def test_outside_of_requests_there_is_none():
    assert contextvars.Context().run(request_id) is None
    assert contextvars.Context().run(unasked) == []


@pytest.mark.parametrize("brought", [b"a", b"order 66", b"~" * 64, b'{"x": 1}'])
def test_a_usable_one_is_the_request_s_own(brought):
    def ask():
        assert begin({}, brought) == brought
        return request_id(), unasked()

    assert contextvars.Context().run(ask) == (brought.decode(), [])


@pytest.mark.parametrize("brought", [None, b"", b" ", b" a", b"a ", b"a\tb", b"a\x7f", b"\xc3\xa9", b"x" * 65])
def test_for_any_other_one_is_made_when_somebody_asks(brought):
    def ask():
        scope = {}
        assert begin(scope, brought) is None
        assert scope == {}
        return request_id(), unasked(), request_id()

    made, header, again = contextvars.Context().run(ask)
    assert len(made) == 32
    assert header == [(HEADER, made.encode())]
    assert made == again


def test_requests_at_the_same_time_have_their_own():
    async def answer(number):
        begin({}, b"r-%d" % number)
        await asyncio.sleep(0)
        return request_id()

    async def all_of_them():
        return await asyncio.gather(*(answer(number) for number in range(100)))

    assert asyncio.run(all_of_them()) == [f"r-{number}" for number in range(100)]
