"""How much a key may ask for: requests, rows and explanations per second.

Owns the token bucket, and what is spent from it. Leaves which key has which rates to `configs.api_keys`.

A request of many rows cannot be refused for being larger than what a second allows, or it could never be sent: what is
begun while the rate is kept is answered whole, and paid off afterwards, by a wait that is as long as it was large.
"""

import math
import time
from collections.abc import Callable

from serving.access.denials import OverRate


class Bucket:
    """A token bucket in one number: when it will be full again.

    That is the generic cell rate algorithm (ITU-T I.371), which grants what a bucket of `burst` tokens, refilled at
    `rate` a second, grants.
    """

    __slots__ = ("_full_at_s", "_step_s", "_tolerance_s")

    def __init__(self, rate: float, burst: float) -> None:
        self._step_s = 1 / rate
        self._tolerance_s = (max(burst, 1) - 1) / rate
        self._full_at_s = 0.0

    def wait_s(self, now_s: float, tokens: int = 1) -> float:
        """Take tokens and give 0, or take none and give the seconds until there is one.

        It takes them all if there is one, and then has fewer than none.

        >>> bucket = Bucket(rate=2, burst=2)
        >>> [bucket.wait_s(now_s) for now_s in (100.0, 100.0, 100.0, 100.5)]
        [0.0, 0.0, 0.5, 0.0]
        >>> [bucket.wait_s(200.0, tokens=1000), bucket.wait_s(200.0)]
        [0.0, 499.5]
        """
        full_at_s = max(self._full_at_s, now_s)
        wait_s = full_at_s - now_s - self._tolerance_s
        if wait_s > 0:
            return wait_s
        self._full_at_s = full_at_s + tokens * self._step_s
        return 0.0


class Rate:
    """One of the rates of a key.

    Args:
        key: its name.
        unit: what is counted, in words.
        per_s: over all workers.
        workers: that grant an equal share each.
        now_s: a clock that only goes forwards, in seconds.
    """

    def __init__(
        self, key: str, unit: str, per_s: float, workers: int, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.key, self.per_s = key, per_s
        self._message = f"the key {key} may have {per_s:g} {unit} a second; wait"
        self._bucket = Bucket(per_s / workers, per_s / workers)
        self._now_s = now_s

    def spend(self, number: int) -> None:
        """Count what a request takes; raises `OverRate` where what was taken before is not paid off.

        Args:
            number: 0 only looks.
        """
        if wait_s := self._bucket.wait_s(self._now_s(), number):
            raise OverRate(self._message, math.ceil(wait_s))
