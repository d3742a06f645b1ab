"""Reading the messages of gRPC calls, with a bound on what they hold together.

gRPC takes in 64 KiB of a message by itself, and the rest once it is asked to; so a call that is refused before `read`
costs next to nothing, nor does one that waits for its turn here. Owns: how many messages arrive at once, and for how
long one may keep others from arriving.
"""

import asyncio
from collections import deque
from typing import Any

from models.errors import Rejected, ScorerError, Unready
from serving.faults import TOOK_TOO_LONG
from serving.v2.grpc_call import GrpcCall
from serving.v2.tensors import malformed

TICK_S = 0.05
SHORT_TICK_S = 0.01  # where a message is a few bytes
LONG_TICKS = 3  # after which a message is long in arriving; more than one, or a loop that was held up would refuse some
CROWDED = Unready("too many large messages arrive at once; try again")


class _Reading:
    """A message that is arriving: the bytes to be, and for how long it has been."""

    __slots__ = ("result", "ticks")

    def __init__(self, result: "asyncio.Future[Any]") -> None:
        self.result = result
        self.ticks = 0


class Places:
    """So many places for readings; who comes when all are taken waits.

    Args:
        number: of places.
        newest_first: whether who came last is next. Then those who send nothing wait for themselves, and not whoever
            comes after hundreds of them and sends at once.
    """

    def __init__(self, number: int, newest_first: bool) -> None:
        self._free = number
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._next = self._waiting.pop if newest_first else self._waiting.popleft

    @property
    def taken(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    async def enter(self) -> None:
        """Take a place, as soon as there is one."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given the place at the same moment
                self.leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give the place to the next who waits."""
        while self._waiting:
            turn = self._next()
            if not turn.done():  # its call may have been cancelled just now
                turn.set_result(None)
                return
        self._free += 1


class MessageReader:
    """Reads messages, `most` at once; further ones wait.

    Args:
        most: messages that arrive at once.
        most_long: of these, those that may be long in arriving while others wait; the last to come are refused.
        timeout_s: seconds within which a message must have arrived.
        small: whether messages are a few bytes, so that who is long in arriving is noticed sooner, and who comes last
            is read first.
    """

    def __init__(self, most: int, most_long: int, timeout_s: float, small: bool = False) -> None:
        self._places = Places(most, newest_first=small)
        self._most_long = most_long
        self._tick_s = SHORT_TICK_S if small else TICK_S
        self._most_ticks = timeout_s / self._tick_s
        self._readings: dict[_Reading, None] = {}  # the oldest first
        self._ticking = False

    async def read(self, call: GrpcCall) -> bytes | ScorerError:
        """The bytes of the message of a call, or why there are none: it is missing, too late, or one too many."""
        await self._places.enter()
        try:
            reading = _Reading(call.read())
            self._readings[reading] = None
            if not self._ticking:
                self._ticking = True
                loop = asyncio.get_running_loop()
                loop.call_later(self._tick_s, self._tick, loop)
            try:
                found: Any = await reading.result
            finally:
                del self._readings[reading]
        finally:
            self._places.leave()
        return malformed("the call has no message") if found is None else found

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Refuse what is too late, and what keeps others waiting."""
        self._ticking = bool(self._readings)
        if self._ticking:
            loop.call_later(self._tick_s, self._tick, loop)
        others_wait, long = self._places.taken, 0
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
