"""Finds a past decision by its `application_id`.

Owns: which of several rows counts, and the order of the search. Leaves to others: where segments are (segments), the
bytes of a line (lines), searching archives (archive_search), and what the decision is needed for.

There is no index: the log is read, newest segment first, until the row is found. A plain line that does not contain the
text of the id is not decoded, so an unknown id costs 1.1 s per gigabyte, or 0.3 us per row; encrypted lines are all
decoded. Reading releases the interpreter lock every 8 kB, so other threads run meanwhile. Archives are searched last,
in a separate process.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from configs.dataset import RESERVED
from monitoring.records.cipher import KeyMissing, is_encrypted
from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, read_lines, segments

CLOCK_TICK = timedelta(milliseconds=20)  # by which Linux may date a write too early: at most two ticks of 100 Hz
ROOT = Path(__file__).resolve().parents[2]


class PastDecision(NamedTuple):
    """A row of the log, with the time and the model of the decision."""

    time: datetime
    model: str
    row: Row


def find(
    directory: Path, application_id: str, deadline_s: float = float("inf"), keys: LogKeys = NO_KEYS
) -> PastDecision | None:
    """Return the newest decision on `application_id`; None if the log has none, or no longer has it.

    Args:
        directory: that holds the records.
        application_id: of the applicant.
        deadline_s: time by `time.monotonic` at which the search is aborted.
        keys: of the log; lines whose key is missing are skipped.

    Raises:
        TimeoutError: the deadline has passed.
    """
    needle = msgspec.json.encode(application_id)
    newest: PastDecision | None = None

    for segment in reversed(segments(directory)):
        # Several workers write at once: the newest decision may be in a segment that was started earlier.
        if newest is not None and _last_written(segment) + CLOCK_TICK < newest.time:
            continue
        read = keys.lines(segment).batch

        def decode(line: bytes, read: Callable[[bytes], Batch | None] = read) -> Batch | None:
            if time.monotonic() > deadline_s:
                raise TimeoutError
            return read(line) if needle in line or is_encrypted(line) else None

        with suppress(KeyMissing):
            for batch, _ in read_lines(segment, 0, decode):
                for row in batch.rows:
                    if row.applicant.get(RESERVED) == application_id and (newest is None or batch.time >= newest.time):
                        newest = PastDecision(batch.time, batch.model, row)
    return newest or (_search_archives(directory, application_id, deadline_s) if archives(directory) else None)


def _search_archives(directory: Path, application_id: str, deadline_s: float) -> PastDecision | None:
    """Search the archives in a separate process (archive_search)."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "monitoring.records.archive_search"],
            input=msgspec.json.encode(application_id),
            env={**os.environ, "PYTHONPATH": path, "SCORER_DIRECTORY": str(directory.absolute())},
            stdout=subprocess.PIPE,
            check=True,
            timeout=None if deadline_s == float("inf") else max(0.0, deadline_s - time.monotonic()),
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return msgspec.json.decode(done.stdout, type=PastDecision | None)


def _last_written(segment: Path) -> datetime:
    """Return when a segment was last written to; the earliest time if it has been deleted."""
    try:
        return datetime.fromtimestamp(segment.stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.min.replace(tzinfo=UTC)
