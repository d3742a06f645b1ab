"""Ids of requests: those that callers bring, and those that are made."""

import asyncio
import contextvars
import re
import subprocess
import sys

import pytest

from serving.request_ids import HEADER, begin, end, generated_id_header, id_of, prefer, request_id


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
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert header == [(HEADER, made.encode())]
    assert made == again


def test_generated_ids_differ_within_a_process_and_between_processes():
    made = {id_of({}) for _ in range(10_000)}
    assert len(made) == 10_000
    ask = "from serving.request_ids import id_of; print(id_of({}))"
    other = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    assert other[:16] not in {one[:16] for one in made}


@pytest.mark.parametrize(("header", "body", "expected"), [(b"a", "b", "a"), (None, "b", "b"), (None, "b ", None)])
def test_the_id_in_a_body_counts_where_no_header_brings_one(header, body, expected):
    def ask():
        scope = {}
        begin(scope, header)
        prefer(scope, body)
        return id_of(scope)

    found = contextvars.Context().run(ask)
    assert found == expected or (expected is None and len(found) == 32)


def test_concurrent_requests_have_ids_of_their_own():
    async def answer(number):
        begin({}, b"r-%d" % number)
        await asyncio.sleep(0)
        return request_id()

    async def all_of_them():
        return await asyncio.gather(*(answer(number) for number in range(100)))

    assert asyncio.run(all_of_them()) == [f"r-{number}" for number in range(100)]
