"""Ids of requests: those that callers bring, and those that are made."""

import asyncio
import contextvars

import pytest

from serving.request_ids import HEADER, begin, end, generated_id_header, request_id


def test_outside_of_requests_there_is_no_id():
    assert contextvars.Context().run(request_id) is None

    def ask():
        begin({}, b"order 66")
        end()
        return request_id()

    assert contextvars.Context().run(ask) is None


@pytest.mark.parametrize("brought", [b"a", b"order 66", b"~" * 64, b'{"x": 1}'])
def test_a_usable_id_of_the_caller_is_the_id_of_the_request(brought):
    def ask():
        scope = {}
        assert begin(scope, brought) == brought
        return request_id(), generated_id_header(scope)

    assert contextvars.Context().run(ask) == (brought.decode(), [])


@pytest.mark.parametrize("brought", [None, b"", b" ", b" a", b"a ", b"a\tb", b"a\x7f", b"\xc3\xa9", b"x" * 65])
def test_otherwise_an_id_is_generated_when_it_is_needed(brought):
    def ask():
        scope = {}
        assert begin(scope, brought) is None
        assert scope == {}
        return request_id(), generated_id_header(scope), request_id()

    made, header, again = contextvars.Context().run(ask)
    assert len(made) == 32
    assert header == [(HEADER, made.encode())]
    assert made == again


def test_concurrent_requests_have_ids_of_their_own():
    async def answer(number):
        begin({}, b"r-%d" % number)
        await asyncio.sleep(0)
        return request_id()

    async def all_of_them():
        return await asyncio.gather(*(answer(number) for number in range(100)))

    assert asyncio.run(all_of_them()) == [f"r-{number}" for number in range(100)]
