"""The verdict on a figure and its bound, and the tables in Markdown.

Leaves the bounds to `benchmarks.figures`.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from benchmarks.rounds import Compared

Verdict = Literal["pass", "pass, aim met", "MISSED", "not judged"]


class Bound(Struct, frozen=True, kw_only=True):
    """One line of the table.

    Attributes:
        what: is measured.
        value: measured; None if there was nothing to measure, which counts as missed.
        least: the smallest value that passes, or the largest with `at_most`.
        aim: the desired value, or None.
        unit: printed after each value.
        unjudged: why this machine cannot decide, or empty.
    """

    what: str
    value: float | None
    least: float
    aim: float | None = None
    at_most: bool = False
    unit: str = " times"
    unjudged: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the value is good enough.

        >>> Bound(what="speed", value=2.0, least=1.5, aim=3).verdict
        'pass'
        >>> Bound(what="p99", value=2, least=1.5, at_most=True).verdict
        'MISSED'
        """
        if self.unjudged:
            return "not judged"
        if self.value is None or not self._reaches(self.least):
            return "MISSED"
        return "pass, aim met" if self.aim is not None and self._reaches(self.aim) else "pass"

    def _reaches(self, bound: float) -> bool:
        assert self.value is not None
        return self.value <= bound if self.at_most else self.value >= bound

    def line(self) -> str:
        """As a line of the table."""
        least = f"{'at most ' if self.at_most else ''}{shown(self.least)}{self.unit}"
        value = "no response" if self.value is None else f"{shown(self.value)}{self.unit}"
        aim = "" if self.aim is None else f"{shown(self.aim)}{self.unit}"
        note = f": {self.unjudged}" if self.unjudged else ""
        return f"| {self.what} | {value} | {least} | {aim} | {self.verdict}{note} |"


def shown(value: float) -> str:
    """Three significant digits; no decimals from 100.

    >>> shown(0.3), shown(12.345), shown(250000)
    ('0.3', '12.3', '250,000')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def bounds_table(bounds: Sequence[Bound]) -> str:
    """Every bound with its verdict."""
    head = "| measured | value | at least | aim | verdict |\n|---|---|---|---|---|"
    return "\n".join([head, *(bound.line() for bound in bounds)])


def shares_table(first: str, one: Mapping[str, Compared], many: Mapping[str, Compared], connections: int) -> str:
    """Requests per second and latencies of each server, and the share of the first one's requests per second."""
    lines = [f"| server | {connections} connections | 1 connection |", "|---|---|---|"]
    for name in many:
        cells = [name]
        for compared in (many[name], one[name]):
            share = "" if name == first else f", {1 / compared.ratio:.0%}"
            latency = f"p50 {compared.p50_ms:.2f} ms, p99 {compared.p99_ms:.2f} ms"
            cells.append(f"{compared.per_second:,.0f} requests/s{share}, {latency}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def servers_table(one: Mapping[str, Compared], many: Mapping[str, Compared], connections: int) -> str:
    """Requests per second, latencies and processor time of each server."""
    columns = ["server"]
    for count in (f"{connections} connections", "1 connection"):
        columns += [f"requests/s, {count}", "p50, ms", "p99, ms", "processor us per request"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for name in many:
        cells = [name]
        for compared in (many[name], one[name]):
            cells += [f"{compared.per_second:,.0f}", f"{compared.p50_ms:.2f}", f"{compared.p99_ms:.2f}"]
            cells.append(f"{compared.cpu_us:.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
