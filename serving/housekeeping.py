"""Memory that a worker no longer needs: found and given back while it has little to do.

Owns when that happens. The collector of `serving.gc_tuning` never looks at what has lived for a while, so cycles that
outlive a young collection would stay for ever; and the C library keeps what is freed below something that still lives:
a worker that had read 100 messages of 16 MiB at once stayed at 1.6 GB. Both are mended here, away from requests.

Idleness is told by the processor time of this process, so no request pays for being counted.

A full collection looks at every connection: 21 objects each, 40 to 180 ms for 20,000, in which nobody is answered. They
need no collector, as the last reference frees them. So it looks at each once, some hundred at a time as they come, and
then they are exempt. What else was alive then is exempt too, and looked at again when most of the crowd has gone.
"""

import asyncio
import ctypes
import gc
import time
from collections.abc import Callable
from typing import NamedTuple

from serving.gc_tuning import tune_gc

TICK_S = 1.0
QUIET_SHARE = 0.1  # of a core; a worker that uses less between two ticks has little to do
WORTH_S = 0.2  # of processor time since the last tidying: less leaves nothing to speak of
LEAST_S = 5.0  # between two tidyings of a quiet worker
LONGEST_S = 60.0  # between two of a worker that is never quiet
CROWD = 500  # connections that are exempted together: 1 to 5 ms


class Census(NamedTuple):
    """How many connections there have been, and how many of them are open."""

    so_far: int = 0
    open: int = 0


def keep_house(census: Callable[[], Census]) -> None:
    """Exempt what is there now from collection, and tidy up from time to time from here on."""
    tune_gc()
    Housekeeper(census).begin()


class Housekeeper:
    """Tidies this process up from time to time, on the running event loop; it ends with the loop.

    Args:
        census: counts the connections.
    """

    def __init__(self, census: Callable[[], Census]) -> None:
        self._loop = asyncio.get_running_loop()
        self._trim = give_back()
        self._census = census
        self._exempt = Census()  # when connections were exempted last
        self._tidied_s = self._loop.time()
        self._tidied_cpu_s = self._cpu_s = time.process_time()

    def begin(self) -> None:
        """Look every second from here on."""
        self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self.begin()
        cpu_s, before_s = time.process_time(), self._cpu_s
        self._cpu_s = cpu_s
        quiet = cpu_s - before_s < QUIET_SHARE * TICK_S
        since_s = self._loop.time() - self._tidied_s
        self.exempt_crowd()
        if cpu_s - self._tidied_cpu_s >= WORTH_S and since_s >= (LEAST_S if quiet else LONGEST_S):
            self.tidy()

    def exempt_crowd(self) -> None:
        """Exempt what is there from collection if that may be so many connections more than are exempt."""
        now = self._census()
        if min(now.so_far - self._exempt.so_far, now.open) >= CROWD:
            gc.collect()
            gc.freeze()
            self._exempt = now

    def tidy(self) -> None:
        """Free what only the collector can, and give memory back to the system."""
        now = self._census()
        if self._exempt.open >= CROWD and now.open < self._exempt.open // 2:
            gc.unfreeze()
            tune_gc()  # 50 to 70 ms: it looks at what was there at the start as well
            self._exempt = now
        else:
            gc.collect()  # 1 to 2 ms
        self._tidied_s, self._tidied_cpu_s = self._loop.time(), time.process_time()
        self._loop.run_in_executor(None, self._trim)  # 1 ms, or 80 ms where there are gigabytes to give back


def give_back() -> Callable[[], object]:
    """A function that returns freed memory to the system; it does nothing where the C library has none."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):  # not glibc
        return lambda: None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: trim(0)
