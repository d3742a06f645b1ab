"""Which profile a row belongs to, and which profiles one commit changes.

Owns: time windows, profile paths, frames. Leaves to others: counting (profile), committing (checkpoint).
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from monitoring.profiles import profile
from monitoring.profiles.group_decisions import GroupDecisions
from monitoring.profiles.whylogs_compat import DatasetProfileView, serialize
from monitoring.records.lines import LoggedBatch

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
    return folder / quote(name, safe="") / quote(version, safe="") / f"{start:%Y%m%dT%H%M%SZ}.bin"


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
        written: the profiles that were written last; those of this commit take their place.
    """

    def __init__(
        self, folder: Path, window_s: int, frame_rows: int, groups: GroupDecisions, written: dict[Path, Written]
    ) -> None:
        self._folder, self._window_s, self._frame_rows = folder, window_s, frame_rows
        self._groups, self._written = groups, written
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
        """Return the new content of each profile that changes: its file merged with the added rows."""
        for key in list(self._frames):
            self._count(key)
        written = {}
        for path, changed in self._profiles.values():
            view = changed.view()
            if path.exists():
                view = self._read(path).merge(view)
            view = profile.pad_with_nulls(view)
            written[path] = Written(serialize(view), view)
        self._written.clear()
        self._written.update(written)
        return {path: one.content for path, one in written.items()}

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
        return DatasetProfileView.deserialize(content)
