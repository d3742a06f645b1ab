"""A histogram of latencies that processes can merge, with buckets that are 2% wide.

locust rounds to whole milliseconds, which is a third of a fast answer; here a percentile is within 2%.
"""

import math
from collections.abc import Mapping

LOWEST_MS = 0.01
WIDTH = math.log(1.02)


def bucket(latency_ms: float) -> int:
    """The number of the bucket of a latency.

    >>> bucket(0), bucket(0.01), bucket(1.0) < bucket(1.03)
    (0, 0, True)
    """
    return max(0, math.ceil(math.log(max(latency_ms, LOWEST_MS) / LOWEST_MS) / WIDTH))


def upper_ms(number: int) -> float:
    """The upper bound of a bucket, milliseconds."""
    return LOWEST_MS * math.exp(number * WIDTH)


def percentile_ms(buckets: Mapping[int, int], share: float) -> float | None:
    """The latency that `share` of the answers did not exceed (nearest rank), milliseconds; None without answers.

    >>> percentile_ms({}, 0.5)
    >>> low, high = bucket(1.0), bucket(100.0)
    >>> [round(percentile_ms({low: 99, high: 1}, share), 1) for share in (0.5, 0.99, 0.991)]
    [1.0, 1.0, 101.8]
    """
    total = sum(buckets.values())
    if not total:
        return None
    rank, seen = math.ceil(share * total), 0
    for number in sorted(buckets):
        seen += buckets[number]
        if seen >= rank:
            return upper_ms(number)
    raise AssertionError("unreachable: the ranks end with the total")
