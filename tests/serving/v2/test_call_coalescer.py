"""Calls that are held back for each other go on together, whatever becomes of one of them."""

import asyncio

from serving.v2.call_coalescer import CallCoalescer


def test_calls_that_follow_each_other_go_on_in_one_turn():
    async def run():
        gathering, through, first = CallCoalescer(), [], asyncio.Event()

        async def call(number):
            for _ in range(3 * number):  # turns that it takes to arrive
                await asyncio.sleep(0)
            await gathering.join()
            through.append(number)
            first.set()

        calls = [asyncio.create_task(call(number)) for number in range(5)]
        await first.wait()
        together = sorted(through)
        await asyncio.gather(*calls)
        return together, gathering.crowded

    assert asyncio.run(run()) == ([0, 1, 2, 3, 4], True)


def test_a_call_that_is_cancelled_leaves_the_others_alone():
    async def run():
        gathering = CallCoalescer()
        first, second = (asyncio.create_task(gathering.join()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        return first.cancelled(), second.done()

    assert asyncio.run(run()) == (True, True)


def test_a_lone_call_goes_on_by_itself():
    async def run():
        gathering = CallCoalescer()
        await gathering.join()
        return gathering.crowded

    assert asyncio.run(run()) is False
