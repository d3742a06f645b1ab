"""The lines that a run prints while it goes on."""

from collections.abc import Mapping

from loadtests.counting.latencies import percentile_ms
from loadtests.counting.ledger import Count


def line(at_s: float, users: int, count: Count, interval_s: float, shape: str = "") -> str:
    """What happened in the last `interval_s` seconds.

    >>> line(12, 50, Count(sent=8, answered=8, latencies={270: 8}), 2)
    '   12 s     50 users       4 requests/s  p50    2.1 ms  p95    2.1 ms'
    >>> line(12, 50, Count(refused=2, lost=1), 2)
    '   12 s     50 users       0 requests/s  no answer  2 refused  1 lost'
    """
    parts = [f"{at_s:5.0f} s  {users:5} users  {count.answered / interval_s:6,.0f} requests/s"]
    p50, p95 = (percentile_ms(count.latencies, share) for share in (0.5, 0.95))
    parts.append("no answer" if p50 is None or p95 is None else f"p50 {p50:6.1f} ms  p95 {p95:6.1f} ms")
    parts += [f"{amount} {word}" for amount, word in ((count.refused, "refused"), (count.lost, "lost")) if amount]
    return "  ".join([*parts, shape] if shape else parts)


def most_frequent(reasons: Mapping[str, Mapping[str, int]], most: int = 5) -> list[str]:
    """The most frequent reasons for refused and lost requests, one line each.

    >>> most_frequent({"grpc": {"503 overloaded": 3, "timed out": 7}}, most=1)
    ['grpc: 7 times: timed out']
    """
    found = [(times, name, reason) for name, of_class in reasons.items() for reason, times in of_class.items()]
    return [f"{name}: {times} times: {reason}" for times, name, reason in sorted(found, reverse=True)[:most]]
