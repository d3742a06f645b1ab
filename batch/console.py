"""What a run prints: a progress bar on a terminal, plain lines elsewhere, and the summary.

Progress goes to standard error, the summary to standard output.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Self

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
            "rows": totals.rows,
            "refused": totals.refused,
            "resumed": totals.resumed,
            "decisions": totals.decisions,
            "approval_rate": totals.decisions.get(APPROVE, 0) / totals.rows if totals.rows else None,
            "seconds": round(self.seconds, 3),
            "rows_per_s": round(made / self.seconds, 1),
        }
        if as_json:
            sys.stdout.write(f"{json.dumps(figures)}\n")
            return
        for name, value in figures.items():
            sys.stdout.write(f"{name:14}{value}\n")

    def _say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
