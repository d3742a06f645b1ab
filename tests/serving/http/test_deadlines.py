"""Deadlines: who is overdue is cancelled and told, and nobody else."""

import asyncio

import pytest

from serving.http.deadlines import Deadlines


async def request(deadlines, takes_s):
    """A request that takes so long; what it is told."""
    entered = deadlines.enter()
    try:
        await asyncio.sleep(takes_s)
    except asyncio.CancelledError:
        if deadlines.leave(entered):
            await asyncio.sleep(0)  # the cancellation is over: an answer can be sent
            return "overdue"
        raise
    finally:
        deadlines.leave(entered)
    return "answered"


def test_only_overdue_requests_are_cancelled():
    async def main():
        deadlines = Deadlines(0.2)
        return await asyncio.gather(request(deadlines, 30), request(deadlines, 0.01), request(deadlines, 30))

    assert asyncio.run(main()) == ["overdue", "answered", "overdue"]


def test_it_looks_again_after_a_pause():
    async def main():
        deadlines = Deadlines(0.1)
        first = await request(deadlines, 0.01)
        await asyncio.sleep(0.05)
        return first, await request(deadlines, 30)

    assert asyncio.run(main()) == ("answered", "overdue")


def test_a_cancellation_by_somebody_else_stays_one():
    async def main():
        task = asyncio.create_task(request(Deadlines(30), 30))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
