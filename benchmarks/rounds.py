"""Rounds in which the service and its references take turns, so that a noisy machine affects all alike.

Owns order, ratios and medians. Leaves the measurement itself to the caller.
"""

from collections.abc import Callable, Sequence
from statistics import mean, median

from msgspec import Struct

from benchmarks.measurement import Measured


class Compared(Struct, frozen=True, kw_only=True):
    """The medians of one server over all rounds.

    Attributes:
        per_second, p50_ms, p99_ms, busy, cpu_us: as `Measured`.
        ratio: of the service's requests per second, just before and after, to this server's.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    busy: float
    cpu_us: float
    ratio: float


def take_turns(
    ours: str, others: Sequence[str], measure: Callable[[str], Measured], rounds: int
) -> dict[str, Compared]:
    """Measure ours, first, ours, second, … ours in each round, and compare each server with ours before and after it.

    >>> rates = {"ours": 20.0, "slow": 5.0}
    >>> compared = take_turns("ours", ["slow"], lambda name: Measured(per_second=rates[name]), rounds=1)
    >>> compared["slow"].ratio, compared["ours"].ratio
    (4.0, 1.0)
    """
    seen: dict[str, list[tuple[Measured, float]]] = {name: [] for name in (ours, *others)}
    for _ in range(rounds):
        before = measure(ours)
        seen[ours].append((before, 1.0))
        for name in others:
            other, after = measure(name), measure(ours)
            seen[name].append((other, mean((before.per_second, after.per_second)) / other.per_second))
            seen[ours].append((after, 1.0))
            before = after
    return {name: _medians(measurements) for name, measurements in seen.items()}


def _medians(measurements: Sequence[tuple[Measured, float]]) -> Compared:
    figures = {
        name: median(getattr(measured, name) for measured, _ in measurements)
        for name in ("per_second", "p50_ms", "p99_ms", "busy", "cpu_us")
    }
    return Compared(**figures, ratio=median(ratio for _, ratio in measurements))
