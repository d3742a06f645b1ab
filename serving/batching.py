"""Adaptive batches: whatever has arrived while the last batch was scored goes into the next.

Owns the queue, for every protocol. No row waits when the worker is idle: where requests have come one at a time for a
while, the next is scored on the spot, until two come in one turn of the event loop again. Under load a batch waits one
turn, and another while turns bring more: an answer takes three turns from its body to its last byte, so batches that
did not wait held a third of what was on its way, and cost a tenth more. The queue is bounded by the time that its rows
will take: who would wait longer than that is told to come back at once, and holds nobody up.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from models.errors import Unready
from serving.scoring import PendingRow, Results

ALONE_AFTER = 16  # batches of one request each, after which the next request is taken to be alone as well
FIRST_ROW_S = 50e-6  # what a row is thought to take before one has been scored
GATHERING_TURNS = 2  # of the loop, for which a batch grows while each brings more; a third gains nothing
RECENT = 0.05  # weight of the last batch in the time that a row takes
TURN_S = 0.02  # seconds of scoring before the loop may read and write again
OVERLOADED = Unready("overloaded or not ready; try again")
LATE = Unready("waited too long in the queue; try again")


class _Waiting(Struct):
    """A request in the queue."""

    arrivals: Sequence[PendingRow]
    future: "asyncio.Future[Results]"
    until_s: float


class Batcher:
    """The queue of one worker.

    Args:
        max_batch_rows: rows scored at once; a larger request is a batch of its own.
        max_queued_rows: rows that may wait.
        max_wait_s: seconds that a row may wait; rows that would, or have, are refused.
    """

    def __init__(self, max_batch_rows: int, max_queued_rows: int, max_wait_s: float) -> None:
        self._max_batch_rows = max_batch_rows
        self._max_queued_rows = max_queued_rows
        self._max_wait_s = max_wait_s
        self._queue: deque[_Waiting] = deque()
        self._queued_rows = 0
        self._row_s = FIRST_ROW_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lone_batches = 0
        self._came = 0  # requests in this turn of the loop, counted while they are taken to be alone
        self._decide: Callable[[Sequence[PendingRow]], Results] | None = None

    def open(self, decide: Callable[[Sequence[PendingRow]], Results]) -> None:
        """Begin to take rows; `decide` gives a result for each and never raises."""
        self._decide = decide

    @property
    def queued_rows(self) -> int:
        """Rows that wait."""
        return self._queued_rows

    def submit(self, arrivals: Sequence[PendingRow]) -> "asyncio.Future[Results]":
        """The results of one request, in order.

        Args:
            arrivals: its rows.
        """
        loop = self._loop = self._loop or asyncio.get_running_loop()  # which calls the system each time
        future: asyncio.Future[Results] = loop.create_future()
        if self._decide is None or not self._has_room(len(arrivals)):
            future.set_result([OVERLOADED] * len(arrivals))
            return future
        if self._lone_batches >= ALONE_AFTER:
            if not self._came:
                loop.call_soon(self._end_turn)
            self._came += 1
            future.set_result(self._decide(arrivals))
            return future
        if not self._queue:
            loop.call_soon(self._gather, loop, 0, 0)
        self._queue.append(_Waiting(arrivals, future, time.perf_counter() + self._max_wait_s))
        self._queued_rows += len(arrivals)
        return future

    def _has_room(self, rows: int) -> bool:
        """Whether so many rows may join: always when nobody waits, so that a large request is not refused for ever."""
        if not self._queue:
            return True
        return self._queued_rows + rows <= self._max_queued_rows and self._queued_rows * self._row_s <= self._max_wait_s

    def _end_turn(self) -> None:
        """Look whether the request of this turn was alone; if not, the next ones wait for each other."""
        if self._came > 1:
            self._lone_batches = 0
        self._came = 0

    @property
    def full(self) -> bool:
        """Whether rows that come now would be refused, whatever they are."""
        return self._decide is None or not self._has_room(1)

    def _gather(self, loop: asyncio.AbstractEventLoop, rows: int, turns: int) -> None:
        """Score when this turn has brought no more rows, or the batch is full, or it was the last turn to wait."""
        if rows < self._queued_rows < self._max_batch_rows and turns < GATHERING_TURNS:
            loop.call_soon(self._gather, loop, self._queued_rows, turns + 1)
        else:
            self._score(loop)

    def _score(self, loop: asyncio.AbstractEventLoop) -> None:
        """Score what waits, batch by batch; what that leaves after `TURN_S` waits for the next turn of the loop."""
        turn_s = now_s = time.perf_counter()
        while self._queue and now_s - turn_s < TURN_S:
            now_s = self._score_batch(now_s)
        if self._queue:
            loop.call_soon(self._score, loop)

    def _score_batch(self, now_s: float) -> float:
        """Score one batch; gives the time after it."""
        batch: list[PendingRow] = []
        taken: list[tuple[int, _Waiting]] = []
        while self._queue and (not batch or len(batch) + len(self._queue[0].arrivals) <= self._max_batch_rows):
            waiting = self._queue.popleft()
            self._queued_rows -= len(waiting.arrivals)
            if waiting.future.cancelled():  # its caller has gone
                continue
            if waiting.until_s < now_s:
                waiting.future.set_result([LATE] * len(waiting.arrivals))
                continue
            taken.append((len(batch), waiting))
            batch.extend(waiting.arrivals)
        if not batch or self._decide is None:
            return now_s
        results = self._decide(batch)
        for first, waiting in taken:
            waiting.future.set_result(results[first : first + len(waiting.arrivals)])
        self._lone_batches = self._lone_batches + 1 if len(taken) == 1 else 0
        after_s = time.perf_counter()
        self._row_s += RECENT * ((after_s - now_s) / len(batch) - self._row_s)
        return after_s
