"""What a run prints: a progress bar on a terminal, plain lines elsewhere, and the summary.

Progress goes to standard error, the summary to standard output.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, Self

import msgspec

from batch.finish import run_name
from batch.run import Totals
from models.deciding import APPROVE

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
            from tqdm import tqdm

            self._bar = tqdm(total=rows, initial=done, unit="row", unit_scale=True, file=sys.stderr)
            return lambda some, _: self._bar.update(some)
        told_s, so_far = time.monotonic(), done

        def tell(some: int, _: int) -> None:
            nonlocal told_s, so_far
            so_far += some
            if time.monotonic() - told_s > EVERY_S or so_far == rows:
                told_s = time.monotonic()
                self._say(f"scored    {so_far:,} of {rows:,} rows, {(so_far - done) / self.seconds:,.0f} rows/s")

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
            self._bar.close()


def _told(figures: dict[str, Any], totals: Totals) -> dict[str, str]:
    """The summary for people: a line for each of these."""
    told = {"model": figures["model"], "rows": f"{totals.rows:,} scored, {totals.refused:,} refused"}
    if totals.rows:
        shares = (f"{name} {number / totals.rows:.1%}" for name, number in sorted(totals.decisions.items()))
        told["decisions"] = ", ".join(shares)
    told["speed"] = f"{figures['rows_per_s']:,.0f} rows/s, {figures['seconds']:,.1f} s"
    drifted = [one for one in totals.watched.drift if one.breach]
    if totals.watched.why_not:
        told["drift"] = f"not compared: {totals.watched.why_not}"
    elif drifted:
        named = ", ".join(f"{one.column} (PSI {one.psi:.2f})" for one in sorted(drifted, key=lambda one: -one.psi))
        told["drift"] = f"{len(drifted)} of {len(totals.watched.drift)} columns against the training rows: {named}"
    else:
        told["drift"] = f"none in {len(totals.watched.drift)} columns against the training rows"
    told["scores"] = f"{totals.job.out}/part-*.parquet"
    if totals.refused:
        told["refused"] = f"{totals.job.out}/refused/part-*.parquet"
    return told
