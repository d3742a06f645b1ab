"""Bodies that nobody should send: each gets an answer, and none of them is a fault of ours."""

import asyncio
import random

from tests.torture.conftest import Connection, body_of

CALLERS = 16
BITS = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"NaN",
    b"1e999",
    b"-",
    b"\\u0000",
    b"\xff",
    b"\\",
    b" ",
    b"0",
)


def mutate(body, pick):
    """A copy with one to four pieces flipped, cut, doubled, moved or put in."""
    made = bytearray(body)
    for _ in range(pick.randint(1, 4)):
        at, length = pick.randrange(len(made) + 1), pick.choice((1, 1, 3, 20, 200))
        how = pick.randrange(6)
        if how == 0 and at < len(made):
            made[at] ^= 1 << pick.randrange(8)
        elif how == 1:
            del made[at : at + length]
        elif how == 2:
            made[at:at] = made[at : at + length]
        elif how == 3:
            made[at:at] = pick.choice(BITS)
        elif how == 4:
            made[at : at + length] = pick.randbytes(length)
        else:
            del made[at:]
        if not made:
            return b""
    return bytes(made)


def test_mutated_bodies_are_answered_and_none_is_our_fault(service, german_applicants, size):
    pick = random.Random(1)
    good = [body_of([german_applicants[row] for row in range(n, n + rows)]) for n, rows in ((0, 1), (5, 2), (9, 40))]
    bodies = [mutate(good[index % 3 if index % 20 == 0 else 0], pick) for index in range(size(1500, 100_000))]
    statuses = {}

    async def ask(part):
        connection = Connection(service.port)
        for body in part:
            status, answer = await connection.ask(body)
            assert status in {200, 400, 413, 422}, (status, answer, body)
            statuses[status] = statuses.get(status, 0) + 1
        connection.close()

    async def run():
        async with asyncio.TaskGroup() as group:
            for first in range(CALLERS):
                group.create_task(ask(bodies[first::CALLERS]))

    asyncio.run(run())
    assert sum(statuses.values()) == len(bodies)
    assert set(statuses) >= {200, 400, 422}, "the mutations are too tame, or too wild"
