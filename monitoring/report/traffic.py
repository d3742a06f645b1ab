"""What was served by window: rows, decisions and the mean probability, from the profiles.

Owns: windows of the length in which they are profiled. Leaves to others: the files (`monitoring.profiles.files`), what
the counts say. Traffic needs no reference, so a version whose artifact is gone has its traffic too. Reading a profile
takes 1 ms, and its few numbers are remembered while the file stays as it is: two weeks have 336 of them.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from configs.monitoring import Monitoring
from models.deciding import APPROVE, DECLINE, REFER
from monitoring.drift.distributions import category_counts, number_sketch
from monitoring.drift.references import DECISION, PROBABILITY
from monitoring.drift.windows import ProfileFile, files_between
from monitoring.profiles.files import read_sketches
from monitoring.records.log_keys import LogKeys

DECISIONS = (APPROVE, DECLINE, REFER)
REMEMBERED = 4096  # windows: half a year of hours
QUANTILES = 501  # whose mean is taken for that of the probability: within 0.001


class Window(Struct, frozen=True):
    """The rows of one model version in one window of time; `mean` is of their probability."""

    model: str
    start: datetime
    rows: int
    decisions: dict[str, int]
    mean: float | None


def windows(settings: Monitoring, keys: LogKeys, since: datetime | None = None) -> list[Window]:
    """Every window from `since` on, the oldest first; a profile that cannot be read is left out, as drift names it."""
    made = []
    for file in files_between(Path(settings.directory), "hour", settings.window_s, since, None):
        try:
            state = file.path.stat()
            made.append(_window(file, (state.st_mtime_ns, state.st_size, state.st_ino), keys))
        except Exception:  # noqa: BLE001, S112 - whylogs has no error of its own for bytes that are no profile
            continue
    return sorted(made, key=lambda window: (window.start, window.model))


def total(found: Sequence[Window]) -> Counter[str]:
    """Rows by decision over some windows.

    >>> from datetime import UTC
    >>> one = Window("m:1", datetime(2026, 11, 1, tzinfo=UTC), 3, {"approve": 2, "decline": 1}, 0.2)
    >>> total([one, one])
    Counter({'approve': 4, 'decline': 2})
    """
    counts: Counter[str] = Counter()
    for window in found:
        counts.update(window.decisions)
    return counts


def mean_of(found: Sequence[Window]) -> float | None:
    """The mean probability over some windows, each with the weight of its rows; None without rows."""
    known = [(window.rows, window.mean) for window in found if window.mean is not None]
    rows = sum(number for number, _ in known)
    return sum(number * mean for number, mean in known) / rows if rows else None


@lru_cache(REMEMBERED)
def _window(file: ProfileFile, _: tuple[int, int, int], keys: LogKeys) -> Window:
    columns = read_sketches(file.path, keys)
    decision, probability = columns.get(DECISION), columns.get(PROBABILITY)
    if decision is None:
        return Window(file.model, file.start, 0, {}, None)
    counts = category_counts(decision, DECISIONS)[: len(DECISIONS)].astype(int).tolist()
    quantiles = None if probability is None else number_sketch(probability).quantiles(QUANTILES)
    mean = float(quantiles.mean()) if quantiles is not None and len(quantiles) else None
    return Window(file.model, file.start, decision.rows, dict(zip(DECISIONS, counts, strict=True)), mean)
