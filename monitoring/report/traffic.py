"""What was served by window: rows, decisions and the mean probability, from the profiles.

Owns: windows of the length in which they are profiled. Leaves to others: reading profiles, each once
(`monitoring.drift.counting`). A version whose artifact is gone, or is older than references of decisions, has its
profiles read here, as its traffic needs no reference.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from msgspec import Struct

from configs.monitoring import Monitoring
from models.deciding import APPROVE, DECLINE, REFER
from monitoring.drift.columns import Counts, Layout
from monitoring.drift.counting import read_counts
from monitoring.drift.distributions import category_counts
from monitoring.drift.references import DECISION, PROBABILITY, Reference, reference_of
from monitoring.drift.windows import ProfileFile, files_between
from monitoring.profiles import files
from monitoring.records.checkpoint import CheckpointError
from monitoring.records.cipher import KeyMissing
from monitoring.records.log_keys import LogKeys
from monitoring.records.models_archive import VersionGone

DECISIONS = (APPROVE, DECLINE, REFER)
REMEMBERED = 4096  # windows that are read here: half a year of hours


class Window(Struct, frozen=True):
    """The rows of one model version in one window of time; `mean` is of their probability."""

    model: str
    start: datetime
    rows: int
    decisions: dict[str, int]
    mean: float | None


def windows(settings: Monitoring, keys: LogKeys, since: datetime | None = None) -> list[Window]:
    """Every window from `since` on, the oldest first; a profile that cannot be read is left out, as drift names it."""
    found = files_between(Path(settings.directory), "hour", settings.window_s, since, None)
    made: list[Window] = []
    for model, its_files in groupby(found, key=lambda file: file.model):
        reference = _reference(settings, model)
        if reference is None:
            made += _read(list(its_files), keys)
            continue
        for file, rows, counts in read_counts(list(its_files), reference, keys, {}):
            decided = dict(zip(DECISIONS, counts[DECISION].values.tolist(), strict=True))
            mean = mean_probability(reference.layouts[PROBABILITY], counts[PROBABILITY])
            made.append(Window(model, file.start, rows, decided, mean))
    return sorted(made, key=lambda window: (window.start, window.model))


def mean_probability(layout: Layout, counts: Counts) -> float | None:
    """The mean of what was counted at the points of a reference; None without a number."""
    if not counts.numbers:
        return None
    points = len(layout.points)
    upto = layout.cumulative(counts)[points:]
    weights = np.diff(upto, prepend=0.0)
    weights[-1] += 1 - upto[-1]  # values above the last point
    return float(weights @ layout.points)


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


def _reference(settings: Monitoring, model: str) -> Reference | None:
    try:
        reference = reference_of(settings, os.environ, model)
    except VersionGone:
        return None
    return reference if {DECISION, PROBABILITY} <= reference.layouts.keys() else None


def _read(found: Sequence[ProfileFile], keys: LogKeys) -> Iterator[Window]:
    for file in found:
        try:
            state = file.path.stat()
            yield _window(file, (state.st_mtime_ns, state.st_size), keys)
        except (KeyMissing, CheckpointError, OSError):
            continue


@lru_cache(REMEMBERED)
def _window(file: ProfileFile, _: tuple[int, int], keys: LogKeys) -> Window:
    view = files.read_view(file.path, keys)
    decision, probability = view.get_column(DECISION), view.get_column(PROBABILITY)
    if decision is None:
        return Window(file.model, file.start, 0, {}, None)
    counts = category_counts(decision, DECISIONS)[: len(DECISIONS)].astype(int).tolist()
    metric = None if probability is None else probability.get_metric("distribution")
    mean = None if metric is None or not metric.n else float(metric.mean.value)
    rows = int(decision.get_metric("counts").n.value)
    return Window(file.model, file.start, rows, dict(zip(DECISIONS, counts, strict=True)), mean)
