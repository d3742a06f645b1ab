"""Which profile a row belongs to, and the profiles that one commit will change.

Owns: windows of time, the paths of profiles, frames. Leaves to others: counting (profiles), committing (checkpoint).
"""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from monitoring.profiles import profile
from monitoring.profiles.whylogs_compat import DatasetProfileView, serialize
from monitoring.records.lines import Batch, Row


def window_start(time: datetime, window_s: int) -> datetime:
    """Give the start of the window that `time` is in; windows are aligned to 1970 in UTC.

    >>> window_start(datetime(2026, 11, 21, 4, 59, 59, tzinfo=UTC), 3600)
    datetime.datetime(2026, 11, 21, 4, 0, tzinfo=datetime.timezone.utc)
    """
    seconds = int(time.timestamp())
    return datetime.fromtimestamp(seconds - seconds % window_s, UTC)


def profile_path(folder: Path, model: str, start: datetime) -> Path:
    """Tell where the profile of a model and a window lies.

    >>> profile_path(Path("profiles"), "german_credit:1f", datetime(2026, 11, 21, 4, tzinfo=UTC)).as_posix()
    'profiles/german_credit/1f/20261121T040000Z.bin'
    """
    name, _, version = model.partition(":")
    return folder / quote(name, safe="") / quote(version, safe="") / f"{start:%Y%m%dT%H%M%SZ}.bin"


class Windows:
    """The rows of one commit, sorted into profiles; holds at most one frame of rows a profile.

    Args:
        folder: of the profiles.
        window_s: length of a window, seconds.
        frame_rows: rows that go into whylogs at once.
    """

    def __init__(self, folder: Path, window_s: int, frame_rows: int) -> None:
        self._folder, self._window_s, self._frame_rows = folder, window_s, frame_rows
        self._profiles: dict[tuple[str, int], tuple[Path, profile.Profile]] = {}
        self._frames: dict[tuple[str, int], list[Row]] = {}

    def __len__(self) -> int:
        """Count the profiles that have changed."""
        return len(self._profiles)

    def add(self, batch: Batch) -> None:
        """Count a batch in."""
        key = batch.model, int(batch.time.timestamp()) // self._window_s
        if key not in self._profiles:  # a path takes 20 us to make: not for every batch of one row
            start = window_start(batch.time, self._window_s)
            path = profile_path(self._folder, batch.model, start)
            self._profiles[key] = path, profile.Profile(batch.model, start)
        frame = self._frames.setdefault(key, [])
        frame.extend(batch.rows)
        if len(frame) >= self._frame_rows:
            self._profiles[key][1].add(profile.to_columns(self._frames.pop(key)))

    def files(self) -> dict[Path, bytes]:
        """Give the new content of each profile that changes: what is in its file, and what was added."""
        for key, frame in self._frames.items():
            self._profiles[key][1].add(profile.to_columns(frame))
        self._frames.clear()
        content = {}
        for path, changed in self._profiles.values():
            view = changed.view()
            if path.exists():
                view = DatasetProfileView.deserialize(path.read_bytes()).merge(view)
            content[path] = serialize(profile.pad_with_nulls(view))
        return content
