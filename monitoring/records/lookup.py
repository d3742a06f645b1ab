"""One decision of the past, by its `application_id`.

Owns which of several rows is the one, and how it is found. Leaves to others: where segments lie (segments), the bytes
of a line (records), and what the decision is wanted for.

There is no index: the log is read, newest segment first, until the row is found. A plain line that does not hold the
id's text is not decoded, so an id that is nowhere costs 1.1 s a gigabyte, or 0.3 us a row; encrypted ones are all
decoded. Reading lets go of the interpreter every 8 kB, so other threads go on meanwhile. Archives are read last, by a
process of its own: pyarrow would stay in this one, with 100 MB.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from configs.dataset import RESERVED
from monitoring.records.cipher import KeyMissing, is_encrypted
from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, read_lines, segments

ROOT = Path(__file__).resolve().parents[2]


class PastDecision(NamedTuple):
    """A row of the log, with when and by which model it was decided."""

    time: datetime
    model: str
    row: Row


def find(
    directory: Path, application_id: str, deadline_s: float = float("inf"), keys: LogKeys = NO_KEYS
) -> PastDecision | None:
    """The newest decision on `application_id`; None when the log has none, or has it no more.

    Args:
        directory: where records lie.
        application_id: of the applicant.
        deadline_s: by `time.monotonic`; beyond it the search is given up.
        keys: of the log; where one is missing, what it keeps shut counts as not there.

    Raises:
        TimeoutError: it was given up.
    """
    needle = msgspec.json.encode(application_id)
    newest: PastDecision | None = None

    for segment in reversed(segments(directory)):
        # Several workers write at once: one that began its segment earlier may have decided later.
        if newest is not None and _written(segment) < newest.time:
            continue
        read = keys.lines(segment.name).batch

        def decode(line: bytes, read: Callable[[bytes], Batch | None] = read) -> Batch | None:
            if time.monotonic() > deadline_s:
                raise TimeoutError
            return read(line) if needle in line or is_encrypted(line) else None

        with suppress(KeyMissing):
            for batch, _ in read_lines(segment, 0, decode):
                for row in batch.rows:
                    if row.applicant.get(RESERVED) == application_id and (newest is None or batch.time >= newest.time):
                        newest = PastDecision(batch.time, batch.model, row)
    return newest or (_ask_archives(directory, application_id, deadline_s) if archives(directory) else None)


def _ask_archives(directory: Path, application_id: str, deadline_s: float) -> PastDecision | None:
    """Search the archives in a process of its own (archive_search)."""
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


def _written(segment: Path) -> datetime:
    """When a segment was last written to; long ago when it has been deleted."""
    try:
        return datetime.fromtimestamp(segment.stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.min.replace(tzinfo=UTC)
