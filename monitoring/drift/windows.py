"""The windows of a model: its profiles, merged to hours, days, or as many rows as are worth judging.

Owns: which profiles make up one window. Leaves to others: reading them (counting), comparing (comparison).

Windows do not depend on where a look begins: hours and days are those of UTC, and windows of rows begin anew each
Monday. Else each look would cut them differently, and every new cut could raise another false alarm.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from monitoring.drift.columns import Counts
from monitoring.profiles.files import profile_files

Kind = Literal["rows", "hour", "day"]
LENGTH_S = {"hour": 3600, "day": 86_400}
WEEK_S = 7 * 86_400
MONDAY_S = 4 * 86_400  # 1970-01-01 was a Thursday


@dataclass(frozen=True)
class ProfileFile:
    """One profile: `path`, the `model` that decided its rows, and the `start` of its window.

    `batch_run` is the run that scored them in batch, empty for what was served.
    """

    path: Path
    model: str
    start: datetime
    batch_run: str = ""


@dataclass(frozen=True)
class Counted:
    """A profile that was read: its rows, by column too, and what tells this state of its file from any other."""

    file: ProfileFile
    state: Hashable
    rows: int
    counts: dict[str, Counts]


@dataclass(frozen=True)
class Window:
    """The rows of one model from `start`, before `until`, by column too; of one `batch_run`, or of none.

    Two with the same `states`, those of the files that it is made of, have the same counts.
    """

    model: str
    start: datetime
    until: datetime
    states: tuple[Hashable, ...]
    rows: int
    counts: dict[str, Counts] = field(compare=False)
    batch_run: str = ""


def files_between(
    directory: Path,
    kind: Kind,
    window_s: int,
    since: datetime | None,
    until: datetime | None,
    replicas: Sequence[Path] = (),
    batch_runs: Sequence[Path] = (),
) -> list[ProfileFile]:
    """Return the profiles of every window that overlaps `since` to `until`, by model and time.

    Args:
        directory: that holds the records.
        kind: of window.
        window_s: length of the window of a profile, seconds.
        since: None for the first profile.
        until: no profile that begins at this moment or later; None for the last one.
        replicas: directories with the records of others.
        batch_runs: folders of batch runs, by which profiles come last.
    """
    first = None if since is None else _start(since, kind, window_s)
    found = []
    places = [("", place) for place in (directory, *replicas)] + [(place.name, place) for place in batch_runs]
    for run, path in ((run, path) for run, place in places for path in profile_files(place)):
        try:
            start = datetime.strptime(path.stem, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            continue  # not the profiler's
        if (first is None or start >= first) and (until is None or start < until):
            model = f"{unquote(path.parts[-3])}:{unquote(path.parts[-2])}"
            found.append(ProfileFile(path, model, start, run))
    return sorted(found, key=lambda file: (file.model, bool(file.batch_run), file.start, file.path))


def group(counted: Iterable[Counted], kind: Kind, window_s: int, least_rows: int) -> Iterator[Window]:
    """Merge profiles that are sorted by model and time.

    Args:
        counted: the profiles.
        kind: of window.
        window_s: length of the window of a profile, seconds.
        least_rows: with which a window of rows ends.
    """
    window: Window | None = None
    for one in counted:
        file, states = one.file, (one.file.path, one.state)
        start = _start(file.start, kind, window_s)
        ends = start + timedelta(seconds=_length(kind, window_s))
        if kind == "rows":
            start, ends = file.start, file.start + timedelta(seconds=window_s)
        if window is not None and not _continues(window, file, kind, window_s, least_rows):
            yield window
            window = None
        if window is None:
            window = Window(file.model, start, ends, states, one.rows, one.counts, file.batch_run)
        else:
            counts = _sum(window.counts, one.counts)
            rows, every = window.rows + one.rows, window.states + states
            window = Window(file.model, window.start, ends, every, rows, counts, file.batch_run)
    if window is not None:
        yield window


def _continues(window: Window, file: ProfileFile, kind: Kind, window_s: int, least_rows: int) -> bool:
    if window.batch_run != file.batch_run:
        return False
    same = window.model == file.model and _start(window.start, kind, window_s) == _start(file.start, kind, window_s)
    of_its_last_hour = file.start + timedelta(seconds=window_s) <= window.until  # by another replica
    return same and (kind != "rows" or window.rows < least_rows or of_its_last_hour)


def _sum(counts: dict[str, Counts], others: dict[str, Counts]) -> dict[str, Counts]:
    return {name: counts[name] + others[name] for name in counts}


def _length(kind: Kind, window_s: int) -> int:
    return WEEK_S if kind == "rows" else max(LENGTH_S[kind], window_s)


def _start(time: datetime, kind: Kind, window_s: int) -> datetime:
    """The hour, the day or the week that holds a moment.

    >>> _start(datetime(2026, 11, 21, 4, 30, tzinfo=UTC), "rows", 3600).isoformat()  # a Saturday
    '2026-11-16T00:00:00+00:00'
    """
    seconds, length = int(time.timestamp()), _length(kind, window_s)
    offset = MONDAY_S if kind == "rows" else 0
    return datetime.fromtimestamp(seconds - (seconds - offset) % length, UTC)
