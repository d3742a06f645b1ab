"""What a run prints: a progress bar on a terminal, plain lines elsewhere, and the summary.

Progress goes to standard error, the summary to standard output.
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec

from batch.finish import run_name
from batch.run import Totals
from models.deciding import APPROVE
from monitoring.drift.looking import ColumnDrift

MOST_NAMED = 5  # columns that moved
EVERY_S = 5.0  # seconds between two plain lines


class Console:
    """Prints about one run; a context, which ends the bar."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self._bar: Any = None

    def start(self, rows: int, done: int) -> Callable[[int, int], None]:
        """Begin; gives what is called with the rows of each part, and those refused."""
        self._begun_s = time.monotonic()
        if done:
            self._say(f"resumed   {done:,} of {rows:,} rows were done before")
        if sys.stderr.isatty():
            return self._begin_bar(rows, done)
        told_s, so_far = time.monotonic(), done

        def tell(some: int, _: int) -> None:
            nonlocal told_s, so_far
            so_far += some
            if time.monotonic() - told_s > EVERY_S or so_far == rows:
                told_s = time.monotonic()
                self._say(f"scored    {so_far:,} of {rows:,} rows, {(so_far - done) / self.seconds:,.0f} rows/s")

        return tell

    def _begin_bar(self, rows: int, done: int) -> Callable[[int, int], None]:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        speed = TextColumn("{task.fields[speed]}")
        columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
        self._bar = Progress(*columns, console=RichConsole(stderr=True))
        self._bar.start()
        task = self._bar.add_task("scoring", total=rows, completed=done, speed="")
        so_far = 0

        def tell(some: int, _: int) -> None:
            nonlocal so_far
            so_far += some
            self._bar.update(task, advance=some, speed=f"{so_far / self.seconds:,.0f} rows/s")

        return tell

    @property
    def seconds(self) -> float:
        """Since the start."""
        return max(time.monotonic() - self._begun_s, 1e-9)

    def summary(self, totals: Totals, as_json: bool) -> None:
        """Print the summary."""
        made = totals.rows + totals.refused - totals.resumed
        figures = {
            "model": totals.job.model,
            "out": totals.job.out,
            "run": run_name(totals.job),
            "rows": totals.rows,
            "refused": totals.refused,
            "resumed": totals.resumed,
            "decisions": totals.decisions,
            "approval_rate": totals.decisions.get(APPROVE, 0) / totals.rows if totals.rows else None,
            "seconds": round(self.seconds, 3),
            "rows_per_s": round(made / self.seconds, 1),
            "drift": totals.watched.drift,
            "not_compared": totals.watched.why_not,
        }
        if as_json:
            sys.stdout.write(f"{msgspec.json.encode(figures).decode()}\n")
            return
        sys.stdout.write("".join(f"{name:10}{words}\n" for name, words in _told(figures, totals).items()))

    def _say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _told(figures: dict[str, Any], totals: Totals) -> dict[str, str]:
    """The summary for people: a line for each of these."""
    told = {"model": figures["model"], "rows": f"{totals.rows:,} scored, {totals.refused:,} refused"}
    if totals.rows:
        shares = (f"{name} {number / totals.rows:.1%}" for name, number in sorted(totals.decisions.items()))
        told["decisions"] = ", ".join(shares)
    told["speed"] = f"{figures['rows_per_s']:,.0f} rows/s, {figures['seconds']:,.1f} s"
    if totals.watched.why_not:
        told["drift"] = f"not compared: {totals.watched.why_not}"
    else:
        told["drift"] = f"{moved(totals.watched.drift)} against the training rows"
    told["scores"] = f"{totals.job.out}/part-*.parquet"
    if totals.refused:
        told["refused"] = f"{totals.job.out}/refused/part-*.parquet"
    return told


def moved(drift: Sequence[ColumnDrift]) -> str:
    """Which columns have moved, those with the highest PSI first.

    >>> moved([])
    'none of 0 columns moved'
    """
    found = sorted((one for one in drift if one.breach), key=lambda one: -one.psi)
    if not found:
        return f"none of {len(drift)} columns moved"
    named = ", ".join(f"{one.column} (PSI {one.psi:.2f})" for one in found[:MOST_NAMED])
    return f"{len(found)} of {len(drift)} columns moved, {named}{', …' if len(found) > MOST_NAMED else ''},"
