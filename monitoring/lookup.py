"""One decision of the past, by its `application_id`.

Owns which of several rows is the one, and how it is found. Leaves to others: where segments lie (segments), the bytes
of a line (records), and what the decision is wanted for.

There is no index: the log is read, newest segment first, until the row is found. A line that does not hold the id's
text is not decoded, so an id that is nowhere costs 1.2 s a gigabyte, or 0.8 us a row. Reading lets go of the
interpreter every 8 kB, so other threads go on meanwhile.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from configs.dataset import RESERVED
from monitoring.records import Batch, Row, decode_line
from monitoring.segments import read_lines, segments


class Decided(NamedTuple):
    """A row of the log, with when and by which model it was decided."""

    time: datetime
    model: str
    row: Row


def find(directory: Path, application_id: str, give_up_s: float = float("inf")) -> Decided | None:
    """The newest decision on `application_id`; None when the log has none, or has it no more.

    Args:
        directory: where records lie.
        application_id: of the applicant.
        give_up_s: by `time.monotonic`; beyond it the search is given up.

    Raises:
        TimeoutError: it was given up.
    """
    needle = msgspec.json.encode(application_id)
    newest: Decided | None = None

    def decode(line: bytes) -> Batch | None:
        if time.monotonic() > give_up_s:
            raise TimeoutError
        return decode_line(line) if needle in line else None

    for segment in reversed(segments(directory)):
        # Several workers write at once: one that began its segment earlier may have decided later.
        if newest is not None and _written(segment) < newest.time:
            continue
        for batch, _ in read_lines(segment, 0, decode):
            for row in batch.rows:
                if row.applicant.get(RESERVED) == application_id and (newest is None or batch.time >= newest.time):
                    newest = Decided(batch.time, batch.model, row)
    return newest


def _written(segment: Path) -> datetime:
    """When a segment was last written to; long ago when it has been deleted."""
    try:
        return datetime.fromtimestamp(segment.stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.min.replace(tzinfo=UTC)
