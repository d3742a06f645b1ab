"""Which profile a row belongs to, and which profiles one commit changes.

Owns: time windows, profile paths, frames. Leaves to others: counting (profile), committing (checkpoint).
"""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from monitoring.profiles import profile
from monitoring.profiles.whylogs_compat import DatasetProfileView, serialize
from monitoring.records.lines import Batch, Row


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


class Windows:
    """Sorts the rows of one commit into profiles; holds at most one frame of rows per profile.

    Args:
        folder: that holds the profiles.
        window_s: length of a window, seconds.
        frame_rows: rows passed to whylogs at once.
    """

    def __init__(self, folder: Path, window_s: int, frame_rows: int) -> None:
        self._folder, self._window_s, self._frame_rows = folder, window_s, frame_rows
        self._profiles: dict[tuple[str, int], tuple[Path, profile.Profile]] = {}
        self._frames: dict[tuple[str, int], list[Row]] = {}

    def __len__(self) -> int:
        """Return the number of profiles that change."""
        return len(self._profiles)

    def add(self, batch: Batch) -> None:
        """Add the rows of one batch."""
        key = batch.model, int(batch.time.timestamp()) // self._window_s
        if key not in self._profiles:  # building a path takes 20 us, too much for each batch of one row
            start = window_start(batch.time, self._window_s)
            path = profile_path(self._folder, batch.model, start)
            self._profiles[key] = path, profile.Profile(batch.model, start)
        frame = self._frames.setdefault(key, [])
        frame.extend(batch.rows)
        if len(frame) >= self._frame_rows:
            self._profiles[key][1].add(profile.to_columns(self._frames.pop(key)))

    def files(self) -> dict[Path, bytes]:
        """Return the new content of each profile that changes: its file merged with the added rows."""
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
