"""Adaptive batches: whatever has arrived while the last batch was scored goes into the next.

Owns the queue. No request waits when the worker is idle, and under load batches grow by themselves, as everything
that the event loop has read in one turn is scored together. BentoML's own dispatcher is not used for this: it waits
as long as requests have waited before, so that a burst left a lone request at 470 ms instead of 2 ms.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from models.errors import Unready
from serving.scoring import Arrival, Results


class Batcher:
    """The queue of one worker.

    Args:
        max_batch_rows: rows scored at once; a larger request is a batch of its own.
        max_queued_rows: rows that may wait; beyond, a request is told to come back.
    """

    def __init__(self, max_batch_rows: int, max_queued_rows: int) -> None:
        self._max_batch_rows = max_batch_rows
        self._max_queued_rows = max_queued_rows
        self._queue: deque[tuple[Sequence[Arrival], asyncio.Future[Results]]] = deque()
        self._queued_rows = 0
        self._decide: Callable[[Sequence[Arrival]], Results] | None = None

    def open(self, decide: Callable[[Sequence[Arrival]], Results]) -> None:
        """Begin to take rows; `decide` gives a result for each and never raises."""
        self._decide = decide

    async def submit(self, arrivals: Sequence[Arrival]) -> Results:
        """The results of one request, in order."""
        if self._decide is None or (self._queue and self._queued_rows + len(arrivals) > self._max_queued_rows):
            return [Unready("overloaded or not ready; try again")] * len(arrivals)
        loop = asyncio.get_running_loop()
        if not self._queue:
            loop.call_soon(self._score, loop)
        future: asyncio.Future[Results] = loop.create_future()
        self._queue.append((arrivals, future))
        self._queued_rows += len(arrivals)
        return await future

    def _score(self, loop: asyncio.AbstractEventLoop) -> None:
        """Score one batch; what does not fit waits for the next turn of the loop."""
        batch: list[Arrival] = []
        waiting = []
        while self._queue and (not batch or len(batch) + len(self._queue[0][0]) <= self._max_batch_rows):
            arrivals, future = self._queue.popleft()
            self._queued_rows -= len(arrivals)
            if not future.cancelled():  # its caller has gone
                waiting.append((len(batch), len(arrivals), future))
                batch.extend(arrivals)
        if self._queue:
            loop.call_soon(self._score, loop)
        if batch and self._decide is not None:
            results = self._decide(batch)
            for first, rows, future in waiting:
                future.set_result(results[first : first + rows])
