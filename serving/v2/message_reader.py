"""Reading the messages of gRPC calls, with a bound on what they hold together.

gRPC takes in 64 KiB of a message by itself, and the rest once it is asked to; so a call that is refused before `read`
costs next to nothing, nor does one that waits for its turn here. Owns: how many messages arrive at once, and for how
long one may keep others from arriving.
"""

import asyncio
from functools import partial
from typing import Any

from grpc.aio import EOF

from models.errors import Rejected, ScorerError, Unready
from serving.faults import TOOK_TOO_LONG
from serving.v2.tensors import malformed

TICK_S = 0.05
LONG_TICKS = 3  # after which a message is long in arriving; more than one, or a loop that was held up would refuse some
CROWDED = Unready("too many large messages arrive at once; try again")


class _Reading:
    """A message that is arriving: the bytes to be, and for how long it has been."""

    __slots__ = ("result", "ticks")

    def __init__(self, result: "asyncio.Future[Any]") -> None:
        self.result = result
        self.ticks = 0


class MessageReader:
    """Reads messages, `most` at once; further ones wait.

    Args:
        most: messages that arrive at once.
        most_long: of these, those that may be long in arriving while others wait; the last to come are refused.
        timeout_s: seconds within which a message must have arrived.
    """

    def __init__(self, most: int, most_long: int, timeout_s: float) -> None:
        self._places = asyncio.Semaphore(most)
        self._most_long = most_long
        self._most_ticks = timeout_s / TICK_S
        self._readings: dict[_Reading, None] = {}  # the oldest first
        self._ticking = False

    async def read(self, context: Any) -> bytes | ScorerError:
        """The bytes of the message of a call, or why there are none: it is missing, too late, or one too many."""
        async with self._places:
            loop = asyncio.get_running_loop()
            # In a task that goes on when the caller cancels: gRPC frees no message that nobody takes from it.
            task = loop.create_task(context.read())
            reading = _Reading(loop.create_future())
            task.add_done_callback(partial(_hand_over, reading.result))
            self._readings[reading] = None
            if not self._ticking:
                self._ticking = True
                loop.call_later(TICK_S, self._tick, loop)
            try:
                found: Any = await reading.result
            finally:
                del self._readings[reading]
        return malformed("the call has no message") if found is EOF else found

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Refuse what is too late, and what keeps others waiting."""
        self._ticking = bool(self._readings)
        if self._ticking:
            loop.call_later(TICK_S, self._tick, loop)
        others_wait, long = self._places.locked(), 0
        for reading in self._readings:
            reading.ticks += 1
            if reading.ticks < LONG_TICKS or reading.result.done():
                continue
            long += 1
            # A result, not an exception: each `raise` would add to the traceback of the one instance.
            if others_wait and long > self._most_long:
                reading.result.set_result(CROWDED)
            elif reading.ticks > self._most_ticks:
                reading.result.set_result(Rejected(504, TOOK_TOO_LONG))


def _hand_over(result: "asyncio.Future[Any]", task: "asyncio.Task[Any]") -> None:
    """Give what a task has read to whoever waits for it, if anybody still does."""
    if task.cancelled():
        result.cancel()
        return
    error = task.exception()
    if result.done():
        return
    if error is None:
        result.set_result(task.result())
    else:
        result.set_exception(error)
