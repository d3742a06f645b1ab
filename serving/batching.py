"""Adaptive batches: the rows that arrive while one batch is scored make up the next.

Owns the queue, for every protocol. No row waits when the worker is idle: where requests have come one at a time for a
while, the next is scored on the spot, until two come in one turn of the event loop again. Under load a batch waits one
turn, and another while turns bring more; without that, a batch held a third of the requests in flight,
and a row cost a tenth more. The queue is bounded by the time that its
rows will take: a request that would wait longer is refused at once, and holds nobody up.

Where answers wait for the disk there is one batch at a time as well: what arrives while it is written is the next
(group commit). No row is scored on the spot then.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

from msgspec import Struct

from models.errors import Unready
from serving.calls import Call
from serving.rows import PendingRow, Receiver, Results

LONE_BATCHES = 16  # batches of one request each, after which the next request is assumed to be alone as well
FIRST_ROW_S = 50e-6  # assumed scoring time per row before the first has been measured
MAX_WAIT_TURNS = 2  # of the loop, for which a batch grows while each brings more; a third gains nothing
SMOOTHING = 0.05  # weight of the last batch in the scoring time per row
MAX_TURN_S = 0.02  # seconds of scoring before the loop may read and write again
OVERLOADED = Unready("overloaded or not ready; try again")
LATE = Unready("waited too long in the queue; try again")

ScoreBatch = Callable[[Sequence[PendingRow]], Results]
ScoreDurably = Callable[[Sequence[PendingRow]], Coroutine[None, None, Results]]  # scores; then waits for the disk


class _QueuedRequest(Struct):
    """A request in the queue."""

    rows: Sequence[PendingRow]
    receiver: Receiver
    until_s: float


_Taken = tuple[int, _QueuedRequest]  # number of its first row in the batch, and a request


class Batcher:
    """The queue of one worker.

    Args:
        max_batch_rows: rows scored at once; a larger request is a batch of its own.
        max_queued_rows: rows that may wait.
        max_queue_s: seconds that a row may wait; rows that would, or did, wait longer are refused.
    """

    def __init__(self, max_batch_rows: int, max_queued_rows: int, max_queue_s: float) -> None:
        self._max_batch_rows = max_batch_rows
        self._max_queued_rows = max_queued_rows
        self._max_queue_s = max_queue_s
        self._queue: deque[_QueuedRequest] = deque()
        self._queued_rows = 0
        self._row_s = FIRST_ROW_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lone_batches = 0
        self._requests_this_turn = 0  # counted while requests are assumed to be alone
        self._score_batch: ScoreBatch | None = None
        self._score_durably: ScoreDurably | None = None
        self._committing: asyncio.Task[None] | None = None

    def open(self, score_batch: ScoreBatch, durably: ScoreDurably | None = None) -> None:
        """Begin to take rows; `score_batch`, or `durably` in its place, returns a result for each and never raises."""
        self._score_batch, self._score_durably = score_batch, durably

    @property
    def queued_rows(self) -> int:
        """Rows that wait."""
        return self._queued_rows

    @property
    def full(self) -> bool:
        """Whether any row that comes now would be refused."""
        return self._score_batch is None or not self._has_room(1)

    def submit(self, applicants: Sequence[Struct], call: Call) -> "asyncio.Future[Results]":
        """Score the rows of one request, as `submit_to`; the result for each row, in order, to wait for."""
        future: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
        self.submit_to(future, applicants, call)
        return future

    def submit_to(self, receiver: Receiver, applicants: Sequence[Struct], call: Call) -> None:
        """Score the rows of one request: the way of every protocol, and of BentoML's route.

        Args:
            receiver: gets a result for each row, in order, perhaps before this returns.
            applicants: valid rows of the schema.
            call: their request, as metrics and records name it.
        """
        now_s = time.perf_counter()
        loop = self._loop = self._loop or asyncio.get_running_loop()  # which is a system call each time
        if self._score_batch is None or not self._has_room(len(applicants)):
            receiver.set_result([OVERLOADED] * len(applicants))
            return
        rows = [PendingRow(applicant, call, now_s) for applicant in applicants]
        if self._lone_batches >= LONE_BATCHES and not self._queue:
            if not self._requests_this_turn:
                loop.call_soon(self._end_turn)
            self._requests_this_turn += 1
            receiver.set_result(self._score_batch(rows))
            return
        if not self._queue and self._committing is None:
            loop.call_soon(self._collect, loop, 0, 0)
        self._queue.append(_QueuedRequest(rows, receiver, now_s + self._max_queue_s))
        self._queued_rows += len(rows)

    def _has_room(self, rows: int) -> bool:
        """Whether so many rows may join: always when nobody waits, so that a large request is not refused for ever."""
        if not self._queue:
            return True
        queued_rows = self._queued_rows
        return queued_rows + rows <= self._max_queued_rows and queued_rows * self._row_s <= self._max_queue_s

    def _end_turn(self) -> None:
        """See whether the request of this turn was alone; if not, the next ones wait for each other."""
        if self._requests_this_turn > 1:
            self._lone_batches = 0
        self._requests_this_turn = 0

    def _collect(self, loop: asyncio.AbstractEventLoop, rows: int, turns: int) -> None:
        """Score once this turn has brought no more rows, or the batch is full, or it was the last turn to wait."""
        if rows < self._queued_rows < self._max_batch_rows and turns < MAX_WAIT_TURNS:
            loop.call_soon(self._collect, loop, self._queued_rows, turns + 1)
        else:
            self._score_queue(loop)

    def _score_queue(self, loop: asyncio.AbstractEventLoop) -> None:
        """Score the queue, batch by batch; what is left after `MAX_TURN_S` waits for the next turn of the loop."""
        turn_s = now_s = time.perf_counter()
        while self._queue and self._committing is None and now_s - turn_s < MAX_TURN_S:
            now_s = self._score_next(loop, now_s)
        if self._queue and self._committing is None:
            loop.call_soon(self._score_queue, loop)

    def _score_next(self, loop: asyncio.AbstractEventLoop, now_s: float) -> float:
        """Score one batch from the queue, or begin to; returns the time after it."""
        batch: list[PendingRow] = []
        taken: list[_Taken] = []
        while self._queue and (not batch or len(batch) + len(self._queue[0].rows) <= self._max_batch_rows):
            request = self._queue.popleft()
            self._queued_rows -= len(request.rows)
            if request.receiver.cancelled():  # its client has gone
                continue
            if request.until_s < now_s:
                request.receiver.set_result([LATE] * len(request.rows))
                continue
            taken.append((len(batch), request))
            batch.extend(request.rows)
        if not batch or self._score_batch is None:
            return now_s
        if self._score_durably is None:
            results = self._score_batch(batch)
            _answer(results, taken)
            self._lone_batches = self._lone_batches + 1 if len(taken) == 1 else 0
        else:
            self._committing = loop.create_task(self._commit(loop, self._score_durably(batch), taken))
        after_s = time.perf_counter()
        self._row_s += SMOOTHING * ((after_s - now_s) / len(batch) - self._row_s)
        return after_s

    async def _commit(
        self, loop: asyncio.AbstractEventLoop, commit: Coroutine[None, None, Results], taken: Sequence[_Taken]
    ) -> None:
        """Answer a batch once it is on disk, and go on with what has gathered."""
        results = await commit
        self._committing = None
        _answer(results, taken)
        if self._queue:
            loop.call_soon(self._score_queue, loop)


def _answer(results: Results, taken: Sequence[_Taken]) -> None:
    """Give each request of a batch its results."""
    for first, request in taken:
        if not request.receiver.cancelled():  # its client may have gone while the batch was written
            request.receiver.set_result(results[first : first + len(request.rows)])
