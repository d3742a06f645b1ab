"""Batches: everything that waits goes together, in order, within the limits."""

import asyncio
import time
from dataclasses import dataclass, field

from models.errors import Unready
from serving.batching import LONE_BATCHES, MAX_WAIT_TURNS, Batcher
from serving.calls import Call

CALL = Call("http", "neighbour", "1")


@dataclass
class Scored:
    """A `score_batch` that answers each applicant with itself, and remembers the batches."""

    batches: list[list[int]] = field(default_factory=list)

    def __call__(self, rows):
        self.batches.append([row.applicant for row in rows])
        return self.batches[-1]


def submitted(requests, max_batch_rows=8, max_queued_rows=100, max_queue_s=10.0):
    """Submit all `requests` in one turn of the loop: their results, and the batches that they made."""
    scored = Scored()

    async def main():
        batcher = Batcher(max_batch_rows, max_queued_rows, max_queue_s)
        batcher.open(scored)
        return await asyncio.gather(*(batcher.submit(rows, CALL) for rows in requests))

    return asyncio.run(main()), scored.batches


def test_what_arrives_in_one_turn_is_one_batch_and_each_gets_its_own_rows():
    requests = [[1], [2, 3], [4]]
    assert submitted(requests) == (requests, [[1, 2, 3, 4]])


def test_a_batch_holds_no_more_rows_than_it_may_and_requests_are_not_split():
    requests = [[1] * 5, [2] * 5, [3] * 3, [4]]
    assert submitted(requests) == (requests, [[1] * 5, [2] * 5 + [3] * 3, [4]])


def test_a_request_larger_than_a_batch_is_one_of_its_own():
    requests = [[1], [2] * 20, [3]]
    assert submitted(requests) == (requests, [[1], [2] * 20, [3]])


def test_rows_beyond_the_queue_are_refused():
    requests = [[1] * 6, [2] * 4, [3], [4] * 4]
    results, batches = submitted(requests, max_queued_rows=10)
    assert results[:2] == requests[:2]
    assert batches == [[1] * 6, [2] * 4], "a batch of up to 8 rows holds whole requests"
    for result, request in zip(results[2:], requests[2:], strict=True):
        assert len(result) == len(request)
        assert all(isinstance(row, Unready) for row in result)


def test_before_it_is_open_nothing_is_taken():
    async def main():
        return await Batcher(8, 8, 10.0).submit([1, 2], CALL)

    results = asyncio.run(main())
    assert [type(result) for result in results] == [Unready, Unready]


def test_the_rows_of_a_caller_that_has_gone_are_not_scored():
    scored = Scored()

    async def main():
        batcher = Batcher(8, 100, 10.0)
        batcher.open(scored)

        async def ask(row):
            return await batcher.submit([row], CALL)

        gone, stays = asyncio.create_task(ask(1)), asyncio.create_task(ask(2))
        await asyncio.sleep(0)  # both are in the queue
        gone.cancel()
        return await stays

    assert asyncio.run(main()) == [2]
    assert scored.batches == [[2]]


def test_a_full_batch_waits_for_nobody_and_makes_room_for_the_next():
    scored = Scored()

    async def main():
        batcher = Batcher(4, 8, 10.0)
        batcher.open(scored)
        first = batcher.submit([1] * 6, CALL)
        await asyncio.sleep(0)
        return await first, await batcher.submit([2] * 6, CALL)

    assert asyncio.run(main()) == ([1] * 6, [2] * 6)
    assert scored.batches == [[1] * 6, [2] * 6]


def test_a_batch_grows_while_turns_bring_more_and_no_longer():
    scored = Scored()

    async def main():
        batcher = Batcher(64, 100, 10.0)
        batcher.open(scored)
        answers = []
        for row in range(6):
            answers.append(batcher.submit([row], CALL))
            await asyncio.sleep(0)
        return await asyncio.gather(*answers)

    assert asyncio.run(main()) == [[row] for row in range(6)]
    assert scored.batches[0] == list(range(MAX_WAIT_TURNS + 1))


def test_a_row_that_has_waited_too_long_is_refused_and_not_scored():
    scored = Scored()

    async def main():
        batcher = Batcher(8, 100, 0.5)
        batcher.open(scored)
        asyncio.get_running_loop().call_soon(time.sleep, 0.6)  # holds the loop up
        late = batcher.submit([1], CALL)
        await asyncio.sleep(0)
        stays = batcher.submit([2], CALL)
        return await late, await stays

    (late,), stays = asyncio.run(main())
    assert isinstance(late, Unready)
    assert stays == [2]
    assert scored.batches == [[2]]


def test_rows_that_would_wait_longer_than_they_may_are_refused_and_the_queue_recovers():
    def slow(rows):
        time.sleep(0.02 * len(rows))
        return [row.applicant for row in rows]

    async def main():
        batcher = Batcher(1, 1000, max_queue_s=0.1)
        batcher.open(slow)
        for _ in range(20):  # until it knows how long a row takes
            await batcher.submit([0], CALL)
        await asyncio.sleep(0)  # the turn ends in which none of them was alone
        burst = await asyncio.gather(*(batcher.submit([row], CALL) for row in range(50)))
        return burst, await batcher.submit([99], CALL)

    burst, after = asyncio.run(main())
    answered = [row for (row,) in burst if not isinstance(row, Unready)]
    assert 0 < len(answered) < 50
    assert answered == list(range(len(answered))), "who came first is served first"
    assert after == [99]


def test_lone_requests_are_scored_on_the_spot_until_two_come_together():
    scored = Scored()

    async def main():
        batcher = Batcher(8, 100, 10.0)
        batcher.open(scored)
        for row in range(LONE_BATCHES):
            await batcher.submit([row], CALL)
        turns = 0

        def turn():
            nonlocal turns
            turns += 1

        asyncio.get_running_loop().call_soon(turn)
        assert await batcher.submit([99], CALL) == [99]
        assert turns == 0, "it was not scored on the spot"
        scored.batches.clear()
        for _ in range(3):
            await asyncio.sleep(0)  # a new turn of the loop
            answers = await asyncio.gather(*(batcher.submit([row], CALL) for row in range(4)))
            assert answers == [[0], [1], [2], [3]]

    asyncio.run(main())
    assert scored.batches[-1] == [0, 1, 2, 3], "neighbours do not share a batch again"
    assert len(scored.batches) <= 6, "only the first turn is scored one by one"


def test_what_arrives_while_a_batch_is_written_is_the_next_and_no_answer_leaves_before():
    batches, written = [], []

    def score_durably(rows):
        batches.append([row.applicant for row in rows])
        on_disk = asyncio.get_running_loop().create_future()
        written.append(on_disk)

        async def answer():
            await on_disk
            return [row.applicant for row in rows]

        return answer()

    async def turns():
        for _ in range(2 * MAX_WAIT_TURNS):
            await asyncio.sleep(0)

    async def main():
        batcher = Batcher(8, 100, 10.0)
        batcher.open(Scored(), score_durably)
        first = batcher.submit([1], "http")
        await turns()
        late = [batcher.submit([row], "http") for row in (2, 3, 4)]
        late[2].cancel()
        gone = batcher.submit([5], "http")
        await turns()
        assert (batches, first.done()) == ([[1]], False)
        written[0].set_result(None)
        assert await first == [1]
        await turns()
        assert (batches, late[0].done()) == ([[1], [2, 3, 5]], False)
        gone.cancel()
        written[1].set_result(None)
        assert await asyncio.gather(*late[:2]) == [[2], [3]]
        last = batcher.submit([6], "http")
        await turns()
        written[2].set_result(None)
        return await last

    assert asyncio.run(main()) == [6]


def test_where_answers_wait_for_the_disk_a_lone_request_waits_too():
    async def main():
        batcher = Batcher(8, 100, 10.0)
        scored = Scored()

        async def answer(rows):
            return scored(rows)

        batcher.open(scored, answer)
        for row in range(LONE_BATCHES + 1):
            future = batcher.submit([row], "http")
            assert not future.done()
            assert await future == [row]

    asyncio.run(main())
