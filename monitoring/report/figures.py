"""Everything that the page shows, as values: the JSON of `/monitor`, and what `page` draws.

Owns: which rows count as of late, and gathering. Leaves to others: statistics (`monitoring.drift`), what is wrong
(`monitoring.findings`), words and drawings (changes, page). Times are in UTC. A service that stopped is shown as it was
when its last row was scored: "of late" ends with the newest window that has rows.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from configs.monitoring import Monitoring
from monitoring.drift import looking
from monitoring.drift.windows import files_between
from monitoring.findings.finding import Finding
from monitoring.findings.log_state import log_state
from monitoring.findings.looking import examine
from monitoring.findings.part import Part
from monitoring.performance.results import Performance
from monitoring.records.checkpoint import CheckpointError
from monitoring.records.cipher import KeyMissing
from monitoring.records.log_keys import LogKeys
from monitoring.records.models_archive import VersionGone, find_model
from monitoring.report import traffic
from monitoring.report.batches import batches
from monitoring.report.changes import changes
from monitoring.report.latency import Latency, latency, metrics_folder
from monitoring.report.shapes import Column, Shape, columns, shape_of
from monitoring.report.traffic import Window
from monitoring.status import Status, profiled

T = TypeVar("T")
WEEK, DAY = timedelta(days=7), timedelta(days=1)


class Group(Struct, frozen=True):
    """The decisions of one audited group since profiles are kept; `ratio` compares with the most approved group."""

    column: str
    group: str
    rows: int
    approved: float
    ratio: float


class Model(Struct, frozen=True, kw_only=True):
    """The version that decided last, as its artifact says; without the artifact its tag alone is known."""

    tag: str
    description: str = ""
    event: str = ""
    threshold: float | None = None
    trained_at: str = ""


class Figures(Struct, frozen=True, kw_only=True):
    """What the page shows.

    Attributes:
        made_at: when these figures were made.
        since: the start of what counts as of late, a day of rows; None before the first row.
        until: its end.
        model: the version that decided last.
        status: rows served, logged, profiled and pending.
        latency: of the service that runs, or ran last.
        findings: what is wrong now, and what to do.
        performance: of that version, by outcomes and as estimated.
        windows: of the last two weeks, the oldest first, of every version.
        groups: decisions by audited group.
        changes: since the week before, a sentence each.
        columns: the last day beside the reference, those that have moved first.
        batches: tables scored in batch in the last two weeks, a sentence each.
        problems: what could not be shown, and why.
    """

    made_at: datetime
    since: datetime | None = None
    until: datetime | None = None
    model: Model | None = None
    status: Status = Status()
    latency: Latency | None = None
    findings: tuple[Finding, ...] = ()
    performance: Performance | None = None
    windows: tuple[Window, ...] = ()
    groups: tuple[Group, ...] = ()
    changes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    batches: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def figures(settings: Monitoring, keys: LogKeys, now: datetime, seen: Part | None = None) -> Figures:
    """Read the records and make the figures of this moment.

    Args:
        settings: where records are.
        keys: of the records.
        now: in UTC.
        seen: what a look at everything has found just now; without it this looks.
    """
    directory = Path(settings.directory)
    if not directory.exists():
        return Figures(made_at=now)
    seen = seen or examine(settings, keys, now)
    problems: list[str] = []
    status = _unless_damaged(lambda: _status(directory, keys), Status(), problems)
    profiles = files_between(directory, "hour", settings.window_s, None, None)
    if not profiles:
        told = tuple(batches(settings, keys, now - 2 * WEEK))
        return Figures(made_at=now, status=status, findings=tuple(seen.findings), batches=told)
    newest = max(profiles, key=lambda file: file.start)
    until = newest.start + timedelta(seconds=settings.window_s)
    day, week, before = until - DAY, until - WEEK, until - 2 * WEEK
    late, now_week, week_before = (
        looking.histograms(settings, keys, *span) for span in ((day, until), (week, until), (before, week))
    )
    drift = looking.inspect(settings, keys, before, until, "day")
    windows = traffic.windows(settings, keys, before)
    weeks = [one for one in windows if one.start >= week], [one for one in windows if one.start < week]
    return Figures(
        made_at=now,
        since=day,
        until=until,
        model=_model(settings, newest.model),
        status=status,
        latency=latency(metrics_folder(os.environ)),
        findings=tuple(seen.findings),
        performance=seen.performance,
        windows=tuple(windows),
        groups=tuple(_unless_damaged(lambda: _groups(directory, newest.model), [], problems)),
        changes=tuple(changes(*weeks, *(_shapes(found, newest.model) for found in (now_week, week_before)))),
        columns=tuple(columns(late, drift.drift, newest.model, day)),
        batches=tuple(batches(settings, keys, now - 2 * WEEK)),
        problems=tuple(dict.fromkeys([*problems, *drift.gone.values(), *drift.unread.values()])),
    )


def _status(directory: Path, keys: LogKeys) -> Status:
    """The four counts, by the checkpoint and the pending end of the log: all of it is too long for each minute."""
    state, done = log_state(directory, keys), profiled(directory).rows
    logged = done + state.pending
    return Status(served=logged + state.lost, logged=logged, profiled=done, pending=state.pending)


def _unless_damaged(work: Callable[[], T], otherwise: T, problems: list[str]) -> T:
    """What `work` gives; where records are damaged or closed to us, the page goes on without and says so."""
    try:
        return work()
    except (CheckpointError, KeyMissing, OSError) as error:
        problems.append(str(error))
        return otherwise


def _model(settings: Monitoring, tag: str) -> Model:
    try:
        artifact = find_model(settings, os.environ, tag)
    except VersionGone:  # drift says so
        return Model(tag=tag)
    dataset, manifest = artifact.schema.dataset, artifact.manifest
    return Model(
        tag=tag,
        description=dataset.description,
        event=f"{dataset.target.column} = {dataset.target.event}",
        threshold=manifest.threshold,
        trained_at=manifest.trained_at,
    )


def _shapes(found: Sequence[looking.Histogram], tag: str) -> dict[str, Shape]:
    return {one.column: shape_of(one) for one in found if one.model == tag}


def _groups(directory: Path, tag: str) -> list[Group]:
    """The groups of each audit with their approvals, in the order of their names."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for one, number in profiled(directory).groups.items():
        if one.model == tag:
            counts.setdefault(one.column, {}).setdefault(one.group, {})[one.decision] = number
    found = []
    for column, groups in sorted(counts.items()):
        shares = {name: each.get("approve", 0) / sum(each.values()) for name, each in groups.items()}
        most = max(shares.values()) or 1.0
        found += [
            Group(column, name, sum(groups[name].values()), share, share / most)
            for name, share in sorted(shares.items())
        ]
    return found
