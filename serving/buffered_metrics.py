"""Counts kept as plain numbers, and passed on to prometheus_client now and then.

Owns when they are passed on. Where several processes share their numbers, each of prometheus_client's increments writes
to a shared file, 1.5 us: nine of them a batch were a tenth of a request that is alone in its batch. A worker that is
killed takes the counts of its last moments with it; the decision log, not these, says what was served.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence

from prometheus_client import Counter, Histogram

PASS_ON_S = 0.2  # seconds that a number may be behind


class BufferedMetrics:
    """The numbers of one worker, on its event loop."""

    def __init__(self) -> None:
        self._counts: defaultdict[Hashable, int] = defaultdict(int)
        self._counters: dict[Hashable, Counter] = {}
        self._histograms: list[BufferedHistogram] = []
        self._waiting = False

    def histogram(self, histogram: Histogram, bounds: Sequence[float]) -> "BufferedHistogram":
        """Numbers for `histogram`, whose upper bounds are `bounds`."""
        self._histograms.append(BufferedHistogram(histogram, bounds))
        return self._histograms[-1]

    def counter(self, key: Hashable, counter: Counter) -> None:
        """Let what is counted under `key` go to `counter`."""
        self._counters[key] = counter

    def count(self, key: Hashable, amount: int = 1) -> None:
        """Count under a key that `counter` knows, and see to it that it is passed on."""
        self._counts[key] += amount
        if not self._waiting:
            self._waiting = True
            asyncio.get_running_loop().call_later(PASS_ON_S, self.pass_on)

    def pass_on(self) -> None:
        """Pass on what has come together."""
        self._waiting = False
        for key, amount in self._counts.items():
            self._counters[key].inc(amount)
        self._counts.clear()
        for histogram in self._histograms:
            histogram.pass_on()


class BufferedHistogram:
    """The numbers of one histogram."""

    def __init__(self, histogram: Histogram, bounds: Sequence[float]) -> None:
        self._histogram = histogram
        self._bounds = bounds
        self._bins = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value; who counts it also counts something under a key."""
        self._bins[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def pass_on(self) -> None:
        """Pass on what has come together; prometheus_client has no public way to add many at once."""
        for index, amount in enumerate(self._bins):
            if amount:
                self._histogram._buckets[index].inc(amount)  # noqa: SLF001
        if self._sum:
            self._histogram._sum.inc(self._sum)  # noqa: SLF001
        self._bins = [0] * len(self._bins)
        self._sum = 0.0
