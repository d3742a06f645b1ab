"""Memory that a worker no longer needs: found and given back while it has little to do.

Owns when that happens. The collector of `serving.gc_tuning` never looks at what has lived for a while, so cycles that
outlive a young collection would stay for ever; and the C library keeps what is freed below something that still lives:
a worker that had read 100 messages of 16 MiB at once stayed at 1.6 GB. Both are mended here, away from requests.

Idleness is told by the processor time of this process, so no request pays for being counted.
"""

import asyncio
import ctypes
import gc
import time
from collections.abc import Callable

from serving.gc_tuning import tune_gc

TICK_S = 1.0
QUIET_SHARE = 0.1  # of a core; a worker that uses less between two ticks has little to do
WORTH_S = 0.2  # of processor time since the last tidying: less leaves nothing to speak of
LEAST_S = 5.0  # between two tidyings of a quiet worker
LONGEST_S = 60.0  # between two of a worker that is never quiet


def keep_house() -> None:
    """Exempt what is there now from collection, and tidy up from time to time from here on."""
    tune_gc()
    Housekeeper()


class Housekeeper:
    """Tidies this process up from time to time, on the running event loop; it ends with the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._trim = give_back()
        self._tidied_s = self._loop.time()
        self._tidied_cpu_s = self._cpu_s = time.process_time()
        self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._loop.call_later(TICK_S, self._tick)
        cpu_s, before_s = time.process_time(), self._cpu_s
        self._cpu_s = cpu_s
        quiet = cpu_s - before_s < QUIET_SHARE * TICK_S
        since_s = self._loop.time() - self._tidied_s
        if cpu_s - self._tidied_cpu_s >= WORTH_S and since_s >= (LEAST_S if quiet else LONGEST_S):
            self._tidy()

    def _tidy(self) -> None:
        gc.collect()  # 1 to 2 ms: what was there at the start is exempt
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
