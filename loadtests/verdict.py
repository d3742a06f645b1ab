"""The verdict: what was measured beside what the objectives ask for, and the table that shows it.

Owns judging and its words. A check passes, is missed, or is not judged with the reason; a run passes when none is
missed. Leaves reading the objectives to `loadtests.objectives`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from loadtests.counting.latencies import percentile_ms
from loadtests.counting.ledger import Count, Ledger
from loadtests.objectives import Objectives

PERCENTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}
Word = Literal["pass", "MISSED", "not judged"]


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was judged.

    Attributes:
        subject: a user class, or what else was looked at.
        what: is measured; the key of the objectives file, if it has one.
        measured: its value, or None.
        bound: what it was compared with, or None.
        word: the verdict.
        note: in words, where numbers do not say it.
    """

    subject: str
    what: str
    measured: float | None = None
    bound: float | None = None
    word: Word
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether it fails the run."""
        return self.word == "MISSED"


class Measured(Struct, frozen=True, kw_only=True):
    """One user class over some time.

    Attributes:
        count: its requests, without the latencies.
        seconds: of the time.
        answered: requests answered within it; `count` may have some that ended later.
        user_s: seconds of all its users together.
        p50_ms, p95_ms, p99_ms: of its answers; None if there were none.
    """

    count: Count
    seconds: float
    answered: int
    user_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None

    @property
    def per_s(self) -> float:
        """Requests answered per second."""
        return self.answered / self.seconds

    @property
    def error_rate(self) -> float | None:
        """Share of the requests that were refused or lost."""
        return (self.count.refused + self.count.lost) / self.count.sent if self.count.sent else None

    @property
    def per_user_s(self) -> float | None:
        """Requests answered per second and user."""
        return self.answered / self.user_s if self.user_s else None


def measure(ledger: Ledger, name: str, first: int, end: int, to_the_last: bool = False) -> Measured:
    """A user class in the slices from `first` up to but not including `end`.

    A request is booked when it ends. With `to_the_last`, those that ended after `end`, when no new ones began, count
    too: they are the slowest, and the lost ones.
    """
    count = ledger.total([name], first, None if to_the_last else end)
    found = {key: percentile_ms(count.latencies, share) for key, share in PERCENTILES.items()}
    count.latencies = {}
    return Measured(
        count=count,
        seconds=(end - first) * ledger.slice_s,
        answered=ledger.total([name], first, end).answered,
        user_s=ledger.user_s(name, first, end),
        **found,
    )


def judge(name: str, measured: Measured, objectives: Objectives) -> list[Check]:
    """The checks of one user class."""
    if not measured.user_s and not measured.count.sent:
        return [Check(subject=name, what="requests", word="not judged", note="had no user; raise USERS")]
    checks = [_percentile(name, key, measured, getattr(objectives, key)) for key in PERCENTILES]
    checks.append(compare(name, "error_rate", measured.error_rate, objectives.error_rate, True))
    checks.append(compare(name, "throughput_floor", measured.per_user_s, objectives.throughput_floor, False))
    return checks


def _percentile(name: str, key: str, measured: Measured, bound: float) -> Check:
    """The check of a percentile, which is the slowest answer where there are few, and that is chance."""
    value, answered = getattr(measured, key), measured.count.answered
    if 0 < answered < 1 / (1 - PERCENTILES[key]) - 1e-6:
        note = f"{answered} answers are too few"
        return Check(subject=name, what=key, measured=value, bound=bound, word="not judged", note=note)
    return compare(name, key, value, bound, True)


def compare(subject: str, what: str, measured: float | None, bound: float, at_most: bool) -> Check:
    """A value beside its bound; without a value the bound is missed.

    >>> compare("single", "p50_ms", 2.0, 5, True).word, compare("single", "p50_ms", None, 5, True).word
    ('pass', 'MISSED')
    """
    held = measured is not None and (measured <= bound if at_most else measured >= bound)
    note = "no answer" if measured is None else ""
    return Check(
        subject=subject, what=what, measured=measured, bound=bound, word="pass" if held else "MISSED", note=note
    )


def missed_of(checks: Iterable[Check]) -> tuple[str, ...]:
    """The checks that fail a run, in few words."""
    return tuple(f"{check.subject} {check.what}" for check in checks if check.missed)


def classes_table(measured: Mapping[str, Measured], checks: Sequence[Check]) -> str:
    """The user classes, a line each: value and bound of each objective, a missed one marked."""
    head = [
        "class",
        "answered",
        "refused",
        "lost",
        "req/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "errors %",
        "req/s a user",
        "",
    ]
    keys = (*PERCENTILES, "error_rate", "throughput_floor")
    rows = [head]
    for name, one in measured.items():
        mine = {check.what: check for check in checks if check.subject == name}
        count = one.count
        row = [name, f"{count.answered:,}", f"{count.refused:,}", f"{count.lost:,}", f"{one.per_s:,.1f}"]
        row += [_cell(mine.get(key), 100 if key == "error_rate" else 1) for key in keys]
        rows.append([*row, _word(mine.values())])
    return aligned(rows)


def _cell(check: Check | None, factor: float) -> str:
    if check is None or check.bound is None:
        return "-"
    value = "-" if check.measured is None else shown(check.measured * factor)
    if check.word == "not judged":
        return f"{value} ? {shown(check.bound * factor)}"
    sign = "≥" if check.what == "throughput_floor" else "≤"
    return (
        f"{value} {sign} {shown(check.bound * factor)}"
        if not check.missed
        else f"{value} ! {shown(check.bound * factor)}"
    )


def _word(checks: Iterable[Check]) -> str:
    words = {check.word for check in checks}
    return next((word for word in ("MISSED", "pass", "not judged") if word in words), "")


def shown(value: float) -> str:
    """Three significant digits.

    >>> shown(0.0123), shown(4.567), shown(12345.0)
    ('0.0123', '4.57', '12,345')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns of text: the first to the left, the others to the right.

    >>> print(aligned([["class", "p50"], ["v2", "1.25"]]))
    class   p50
    v2     1.25
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([first.strip().ljust(widths[0]), *rest]).rstrip())
    return "\n".join(lines)
