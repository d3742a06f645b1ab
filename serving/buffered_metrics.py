"""Counts kept as plain numbers, and flushed to prometheus_client now and then.

Owns when they are flushed, and the private parts of prometheus_client that it takes: the library has no public way to
add many observations to a histogram at once (`tests/serving/test_buffered_metrics.py` fails when these parts change).

Where several processes share their numbers, each increment of prometheus_client writes to a shared file, 1.5 us: nine
of them per batch were a tenth of a request that is alone in its batch. A worker that is killed takes the counts of its
last moments with it; the decision log, not these, says what was served.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence

from prometheus_client import Counter, Histogram

FLUSH_INTERVAL_S = 0.2  # seconds by which a number may be behind


class BufferedMetrics:
    """The numbers of one worker, on its event loop."""

    def __init__(self) -> None:
        self._counts: defaultdict[Hashable, int] = defaultdict(int)
        self._counters: dict[Hashable, Counter] = {}
        self._histograms: list[BufferedHistogram] = []
        self._flush_scheduled = False

    def add_histogram(self, histogram: Histogram, bounds: Sequence[float]) -> "BufferedHistogram":
        """A buffer for `histogram`, whose upper bounds are `bounds`."""
        self._histograms.append(BufferedHistogram(histogram, bounds))
        return self._histograms[-1]

    def add_counter(self, key: Hashable, counter: Counter) -> None:
        """Flush what is counted under `key` to `counter`."""
        self._counters[key] = counter

    def count(self, key: Hashable, amount: int = 1) -> None:
        """Count under a key that has a counter, and schedule a flush."""
        self._counts[key] += amount
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_later(FLUSH_INTERVAL_S, self.flush)

    def flush(self) -> None:
        """Hand everything counted so far to prometheus_client."""
        self._flush_scheduled = False
        for key, amount in self._counts.items():
            self._counters[key].inc(amount)
        self._counts.clear()
        for histogram in self._histograms:
            histogram.flush()


class BufferedHistogram:
    """A buffer in front of one histogram.

    Args:
        histogram: where observations go.
        bounds: its upper bounds, rising.
    """

    def __init__(self, histogram: Histogram, bounds: Sequence[float]) -> None:
        self._histogram = histogram
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Add one observation; it is flushed with the next count."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def flush(self) -> None:
        """Hand the observations to prometheus_client."""
        for index, amount in enumerate(self._counts):
            if amount:
                self._histogram._buckets[index].inc(amount)  # noqa: SLF001
        if self._sum:
            self._histogram._sum.inc(self._sum)  # noqa: SLF001
        self._counts = [0] * len(self._counts)
        self._sum = 0.0
