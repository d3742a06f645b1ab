"""Finds a past decision by its `application_id`.

Owns: which of several rows counts, and the order of the search. Leaves to others: where segments are (segments), which
files cannot hold an id (id_filter, unread_tails), the bytes of a line (lines), searching archives (archive_search), and
what the decision is needed for.

Newest segment first. A file whose filter excludes the id is not opened, so an unknown id costs 25 us per file and what
was logged since the filters were made. A file without a filter is read: a plain line that does not contain the text of
the id is not decoded, which costs 1.1 s per gigabyte, or 0.3 us per row; encrypted lines are all decoded. Reading
releases the interpreter lock every 8 kB, so other threads run meanwhile. Archives that may hold the id are searched
last, in a separate process.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from configs.dataset import RESERVED
from monitoring.records.cipher import KeyMissing, is_encrypted
from monitoring.records.id_filter import IdFilter, filter_path, read_filter
from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, read_lines, segments, size_bytes
from monitoring.records.unread_tails import UnreadTails

CLOCK_TICK = timedelta(milliseconds=20)  # by which Linux may date a write too early: at most two ticks of 100 Hz
ROOT = Path(__file__).resolve().parents[2]


class PastDecision(NamedTuple):
    """A row of the log, with the time and the model of the decision."""

    time: datetime
    model: str
    row: Row


class DecisionSearch:
    """Searches one log again and again, and remembers what it has checked and read; for one thread.

    Args:
        directory: that holds the records.
        keys: of the log; lines whose key is missing are skipped.

    Attributes:
        read_bytes: read from segments that may have held an id.
        searched_archives: archives that may have held an id.
    """

    def __init__(self, directory: Path, keys: LogKeys = NO_KEYS) -> None:
        self._directory, self._keys = directory, keys
        self._filters: dict[str, IdFilter] = {}
        self._tails = UnreadTails(keys)
        self.read_bytes = self.searched_archives = 0

    @property
    def decoded_rows(self) -> int:
        """Rows decoded because no filter covers them yet."""
        return self._tails.decoded_rows

    def find(
        self, application_id: str, deadline_s: float = float("inf"), owner: str | None = None
    ) -> PastDecision | None:
        """Return the newest decision on `application_id`; None if the log has none, or no longer has it.

        Args:
            application_id: of the applicant.
            deadline_s: time by `time.monotonic` at which the search is aborted.
            owner: the caller whose rows count, as if there were no others; None for those of all.

        Raises:
            TimeoutError: the deadline has passed.
            OSError: the archives cannot be searched.
        """
        needle = msgspec.json.encode(application_id)
        newest: PastDecision | None = None
        filters, self._filters = self._filters, {}
        logged = segments(self._directory)
        self._tails.keep({segment.name for segment in logged})

        for segment in reversed(logged):
            known = self._filter(segment, filters)
            # Several workers write at once: the newest decision may be in a segment that was started earlier.
            if newest is not None and _last_written(segment) + CLOCK_TICK < newest.time:
                continue
            read = self._keys.lines(segment).batch

            def decode(line: bytes, read: Callable[[bytes], Batch | None] = read) -> Batch | None:
                self.read_bytes += len(line)
                if time.monotonic() > deadline_s:
                    raise TimeoutError
                return read(line) if needle in line or is_encrypted(line) else None

            with suppress(KeyMissing):
                start = self._first_byte(segment, known, application_id, deadline_s)
                if start is None:
                    continue
                for batch, _ in read_lines(segment, start, decode):
                    for row in batch.rows:
                        if (
                            row.applicant.get(RESERVED) == application_id
                            and (owner is None or row.caller == owner)
                            and (newest is None or batch.time >= newest.time)
                        ):
                            newest = PastDecision(batch.time, batch.model, row)
        return newest or self._archived(application_id, deadline_s, filters, owner)

    def _filter(self, file: Path, before: dict[str, IdFilter]) -> IdFilter | None:
        """The filter of a file, checked unless it is the one that it was before."""
        found = read_filter(filter_path(self._directory, file), self._keys, before.get(file.stem))
        if found is not None:
            self._filters[file.stem] = found
        return found

    def _first_byte(self, segment: Path, known: IdFilter | None, application_id: str, deadline_s: float) -> int | None:
        """The byte from which a segment has to be read; None if it cannot hold the id."""
        if known is None or known.head.covered > size_bytes(segment):
            start = 0  # without a filter, or with that of another file of this name
        elif known.may_hold(application_id):
            return 0
        else:
            start = known.head.covered
        return start if self._tails.may_hold(segment, start, application_id, deadline_s) else None

    def _archived(
        self, application_id: str, deadline_s: float, before: dict[str, IdFilter], owner: str | None
    ) -> PastDecision | None:
        """The newest archived decision; archives are listed after the segments that they may take the place of."""
        candidates = []
        for archive in archives(self._directory):
            if time.monotonic() > deadline_s:
                raise TimeoutError
            known = self._filter(archive, before)
            if known is None or not known.head.complete or known.may_hold(application_id):
                candidates.append(archive.relative_to(self._directory).as_posix())
        self.searched_archives += len(candidates)
        if not candidates:
            return None
        return _search_archives(self._directory, application_id, candidates, deadline_s, owner)


def find(
    directory: Path,
    application_id: str,
    deadline_s: float = float("inf"),
    keys: LogKeys = NO_KEYS,
    owner: str | None = None,
) -> PastDecision | None:
    """Search once, as `DecisionSearch.find` does."""
    return DecisionSearch(directory, keys).find(application_id, deadline_s, owner)


def _search_archives(
    directory: Path, application_id: str, candidates: Sequence[str], deadline_s: float, owner: str | None
) -> PastDecision | None:
    """Search these archives in a separate process (archive_search)."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "monitoring.records.archive_search"],
            input=msgspec.json.encode({"application_id": application_id, "archives": candidates, "owner": owner}),
            env={**os.environ, "PYTHONPATH": path, "SCORER_DIRECTORY": str(directory.absolute())},
            capture_output=True,
            check=True,
            timeout=None if deadline_s == float("inf") else max(0.0, deadline_s - time.monotonic()),
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise OSError(f"{directory / 'archive'}: cannot be searched: {reason}") from None
    return msgspec.json.decode(done.stdout, type=PastDecision | None)


def _last_written(segment: Path) -> datetime:
    """Return when a segment was last written to; the earliest time if it has been deleted."""
    try:
        return datetime.fromtimestamp(segment.stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.min.replace(tzinfo=UTC)
