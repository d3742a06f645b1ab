"""Which profile a row belongs to, and which profiles one commit changes.

Owns: time windows, profile paths, frames, and that no profile is made of fewer rows than it may. Leaves to others:
counting (profile), the bytes of a file (files), committing (checkpoint).

A window whose rows are too few is held back in a file of its model that is no profile (files.HELD). The next rows of
the model join it, in the same window or in a later one, whose profile then counts the rows of both.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from monitoring.profiles import files, profile
from monitoring.profiles.group_decisions import GroupDecisions
from monitoring.profiles.whylogs_compat import DatasetProfileView, serialize
from monitoring.records.lines import LoggedBatch
from monitoring.records.log_keys import NO_KEYS, LogKeys

Key = tuple[str, int]  # model, and number of the window


def window_start(time: datetime, window_s: int) -> datetime:
    """Return the start of the window that contains `time`; windows are aligned to the Unix epoch, in UTC.

    >>> window_start(datetime(2026, 11, 21, 4, 59, 59, tzinfo=UTC), 3600)
    datetime.datetime(2026, 11, 21, 4, 0, tzinfo=datetime.timezone.utc)
    """
    seconds = int(time.timestamp())
    return datetime.fromtimestamp(seconds - seconds % window_s, UTC)


def profile_path(folder: Path, model: str, start: datetime) -> Path:
    """Return the path of the profile of one model and window.

    >>> profile_path(Path("profiles"), "german_credit:1f", datetime(2026, 11, 21, 4, tzinfo=UTC)).as_posix()
    'profiles/german_credit/1f/20261121T040000Z.bin'
    """
    name, _, version = model.partition(":")
    return folder / quote(name, safe="") / quote(version, safe="") / _file_name(start)


def _file_name(start: datetime) -> str:
    return f"{start:%Y%m%dT%H%M%SZ}.bin"


class Written(NamedTuple):
    """A profile that was written, and its view, which takes as long to read as a thousand rows to count."""

    content: bytes
    view: DatasetProfileView


class Windows:
    """Sorts the rows of one commit into profiles; holds at most one frame of rows per profile.

    Args:
        folder: that holds the profiles.
        window_s: length of a window, seconds.
        frame_rows: rows passed to whylogs at once.
        groups: counts the same rows.
        keys: to encrypt profiles with.
        least_rows: of a profile.
        written: the profiles that were written last; those of this commit take their place.
    """

    def __init__(
        self,
        folder: Path,
        window_s: int,
        frame_rows: int,
        groups: GroupDecisions,
        written: dict[Path, Written],
        keys: LogKeys = NO_KEYS,
        least_rows: int = 1,
    ) -> None:
        self._folder, self._window_s, self._frame_rows = folder, window_s, frame_rows
        self._groups, self._written, self._keys, self._least_rows = groups, written, keys, least_rows
        self._profiles: dict[Key, tuple[Path, profile.Profile]] = {}
        self._frames: dict[Key, list[LoggedBatch]] = {}
        self._rows: Counter[Key] = Counter()

    def __len__(self) -> int:
        """Return the number of profiles that change."""
        return len(self._profiles)

    def add(self, batch: LoggedBatch) -> None:
        """Add the rows of one batch."""
        key = batch.model, int(batch.time.timestamp()) // self._window_s
        if key not in self._profiles:  # building a path takes 20 us, too much for each batch of one row
            start = window_start(batch.time, self._window_s)
            path = profile_path(self._folder, batch.model, start)
            self._profiles[key] = path, profile.Profile(batch.model, start)
        self._frames.setdefault(key, []).append(batch)
        self._rows[key] += len(batch.rows)
        if self._rows[key] >= self._frame_rows:
            self._count(key)

    def files(self) -> dict[Path, bytes]:
        """Return the new content of each file that changes; empty if it goes."""
        for key in list(self._frames):
            self._count(key)
        views: dict[Path, DatasetProfileView | None] = {}
        for _, (path, changed) in sorted(self._profiles.items()):
            self._add(views, path, changed.view())
        written = {
            path: Written(files.sealed(path, serialize(view), self._keys), view)
            for path, view in ((path, profile.pad_with_nulls(view)) for path, view in views.items() if view)
        }
        self._written.clear()
        self._written.update(written)
        gone = {path: b"" for path in views if path not in written}
        return gone | {path: one.content for path, one in written.items()}

    def _add(self, views: dict[Path, DatasetProfileView | None], path: Path, new: DatasetProfileView) -> None:
        """Merge the added rows of one window with its file or with what is held back, and see if they are enough."""
        if view := self._current(views, path):
            views[path] = view.merge(new)
            return
        place = path.with_name(files.HELD)
        if held := self._current(views, place):
            later = max(held.dataset_timestamp, new.dataset_timestamp)
            path = path.with_name(_file_name(later))
            new = held.merge(new)
            new.dataset_timestamp = later  # of the merged, whylogs takes the earlier
        if rows_of(new) < self._least_rows:
            views[place] = new
            return
        views[path] = new
        if held:
            views[place] = None

    def _current(self, views: dict[Path, DatasetProfileView | None], path: Path) -> DatasetProfileView | None:
        """The view of a file as it will be so far; None if there is none."""
        if path in views:
            return views[path]
        return self._read(path) if path.exists() else None

    def _count(self, key: Key) -> None:
        columns = profile.to_columns(self._frames.pop(key))
        self._profiles[key][1].add(columns)
        self._groups.add(key[0], columns)
        del self._rows[key]

    def _read(self, path: Path) -> DatasetProfileView:
        """The view of a profile; of one that is as it was written last, without reading it again."""
        content, known = path.read_bytes(), self._written.get(path)
        if known and known.content == content:
            return known.view
        return DatasetProfileView.deserialize(files.opened(path, content, self._keys))


def rows_of(view: DatasetProfileView) -> int:
    """The number of rows that a profile counts."""
    return max(int(column.get_metric("counts").n.value) for column in view.get_columns().values())
