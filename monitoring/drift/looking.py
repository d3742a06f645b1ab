"""The drift of every model, column and window: what commands, findings and pages are made of.

Owns: looking through the profiles, and the form of what is found. Leaves to others: windows, comparison, what follows.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from glob import glob
from itertools import groupby
from pathlib import Path
from typing import Literal

import msgspec

from configs.monitoring import Monitoring
from monitoring.drift.columns import Counts
from monitoring.drift.comparison import compare
from monitoring.drift.counting import read_counts
from monitoring.drift.references import Reference, reference_of
from monitoring.drift.sequential import significance
from monitoring.drift.windows import Kind, Window, files_between, group
from monitoring.profiles import batch_windows
from monitoring.records.log_keys import LogKeys
from monitoring.records.models_archive import VersionGone

What = Literal["served", "batch", "both"]
MOST_JUDGED = 1024  # windows whose drift is kept: six weeks of hours


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True):
    """One column of one window against the reference of its model.

    Attributes:
        model: `<name>:<version>`.
        column: a feature, `probability` or `decision`.
        start: of the window, UTC.
        until: its end, UTC, exclusive; later than now for one that still fills.
        rows: of the column in the window.
        batch_run: the run that scored them in batch; empty for what was served.
        psi: population stability index.
        psi_bound: above which it is a breach.
        ks: Kolmogorov-Smirnov distance; None for texts, or without a number.
        ks_bound: above which it is a breach.
        js: Jensen-Shannon distance, 0 to 1.
        chi2: Pearson's statistic of two samples; None for numbers.
        higher: how often a number of the window is above one of the reference, 0 to 1, equal ones counted half: 0.5 if
            nothing has moved up or down; None for texts.
        p_value: of all tests of the column, valid however often the window is looked at.
        alpha: what this column may spend in this window; no breach has a larger `p_value`.
        breach: whether PSI, KS, `nulls` or `unknown` is above its bound.
        nulls: share of rows without a value; above `nulls_bound` it is a breach, `nulls_reference` is the reference's.
        unknown: share of rows with a text that is no category, or with no number where one belongs.
    """

    model: str
    column: str
    start: datetime = msgspec.field(name="from")
    until: datetime
    rows: int
    psi: float
    psi_bound: float
    ks: float | None
    ks_bound: float | None
    js: float
    chi2: float | None
    higher: float | None
    p_value: float
    alpha: float
    breach: bool
    nulls: float
    nulls_bound: float
    nulls_reference: float
    unknown: float
    unknown_bound: float
    unknown_reference: float
    batch_run: str = ""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """The distribution of one column in a window and in its reference, as shares of all rows that are not null.

    Attributes:
        rows: of the window.
        edges: `[bars + 1]` of numbers; None for texts. What lies outside is in the outer two bars.
        categories: `[bars]` of texts, the last for all other texts; None for numbers.
        reference: `[bars]` shares.
        current: `[bars]` shares.
    """

    model: str
    column: str
    start: datetime = msgspec.field(name="from")
    until: datetime
    rows: int
    edges: list[float] | None
    categories: list[str] | None
    reference: list[float]
    current: list[float]


class Looked(msgspec.Struct, frozen=True):
    """What was found, and what could not be looked at: files by path and models by name, each with the reason."""

    drift: list[ColumnDrift]
    unread: dict[Path, str]
    gone: dict[str, str]


def look(
    settings: Monitoring, keys: LogKeys, since: datetime | None, until: datetime | None, window: Kind = "rows"
) -> list[ColumnDrift]:
    """Return the drift of every column in every window, by model, time and column; see `inspect`."""
    return inspect(settings, keys, since, until, window).drift


def inspect(
    settings: Monitoring,
    keys: LogKeys,
    since: datetime | None,
    until: datetime | None,
    window: Kind = "rows",
    what: What = "served",
) -> Looked:
    """Look at every window that overlaps `since` to `until`, and say what could not be looked at.

    Args:
        settings: where the records are, and the bounds.
        keys: of the records.
        since: windows that end at this moment or before are left out; None for the first one.
        until: rows of profiles that begin at this moment or later are left out; None for the last one.
        window: hours or days of UTC, or of as many rows as can be judged.
        what: what was served, runs of batch scoring, each of which is a window, or both.
    """
    unread: dict[Path, str] = {}
    gone: dict[str, str] = {}
    drift = [
        drifted
        for reference, one in _windows(settings, keys, since, until, window, unread, gone, what)
        for drifted in _drift_of(reference, one, settings)
    ]
    return Looked(drift, unread, gone)


def histograms(settings: Monitoring, keys: LogKeys, since: datetime | None, until: datetime | None) -> list[Histogram]:
    """Return one histogram per model and column: the rows of all profiles of hours that overlap `since` to `until`."""
    merged: dict[str, tuple[Reference, Window]] = {}
    for reference, one in _windows(settings, keys, since, until, "hour", {}, {}):
        if one.model in merged:
            before = merged[one.model][1]
            counts = {name: before.counts[name] + counts for name, counts in one.counts.items()}
            states, rows = before.states + one.states, before.rows + one.rows
            one = Window(one.model, before.start, one.until, states, rows, counts)  # noqa: PLW2901
        merged[one.model] = reference, one
    return [
        _histogram(reference, one, name)
        for reference, one in merged.values()
        for name, counts in _compared(reference, one)
        if counts.rows > counts.nulls
    ]


def _windows(
    settings: Monitoring,
    keys: LogKeys,
    since: datetime | None,
    until: datetime | None,
    window: Kind,
    unread: dict[Path, str],
    gone: dict[str, str],
    what: What = "served",
) -> Iterator[tuple[Reference, Window]]:
    """Each window with its reference; what cannot be looked at goes to `unread` and `gone`."""
    here = Path(settings.directory)
    others = sorted(Path(path) for path in glob(settings.drift_replicas))  # noqa: PTH207 - it may be absolute
    replicas = [path for path in others if path.resolve() != here.resolve()]
    runs = [] if what == "served" else batch_windows.runs(here)
    files = files_between(here, window, settings.window_s, since, until, replicas, runs)
    files = [file for file in files if file.batch_run] if what == "batch" else files
    for model, its_files in groupby(files, key=lambda file: file.model):
        try:
            reference = reference_of(settings, os.environ, model)
        except VersionGone as error:
            gone[model] = str(error)
            continue
        counted = read_counts(list(its_files), reference, keys, unread)
        for one in group(counted, window, settings.window_s, settings.drift_window_rows):
            if since is None or one.until > since:
                yield reference, one


def _compared(reference: Reference, window: Window) -> Iterator[tuple[str, Counts]]:
    """The columns of a window that are compared: an optional one that nobody sent is not."""
    for name, counts in window.counts.items():
        if counts.rows and not (name in reference.optional and counts.nulls == counts.rows):
            yield name, counts


@lru_cache(maxsize=MOST_JUDGED)
def _drift_of(reference: Reference, window: Window, settings: Monitoring) -> list[ColumnDrift]:
    """Each column of a window, once for each state of its profiles."""
    length_s = (window.until - window.start).total_seconds()
    alpha = significance(settings.most_false_alarms_per_year, length_s, len(reference.layouts))
    return [
        ColumnDrift(
            model=window.model,
            column=name,
            start=window.start,
            until=window.until,
            rows=counts.rows,
            batch_run=window.batch_run,
            **vars(compare(reference.layouts[name], reference.counts[name], counts, alpha, settings)),
        )
        for name, counts in _compared(reference, window)
    ]


def _histogram(reference: Reference, window: Window, name: str) -> Histogram:
    layout = reference.layouts[name]
    bars = [layout.bars(counts) for counts in (reference.counts[name], window.counts[name])]
    shares = [(rows / max(1, rows.sum())).tolist() for rows in bars]
    return Histogram(
        model=window.model,
        column=name,
        start=window.start,
        until=window.until,
        rows=window.counts[name].rows,
        edges=layout.plot.tolist() if layout.categories is None else None,
        categories=None if layout.categories is None else [*layout.categories, "other"],
        reference=shares[0],
        current=shares[1],
    )
