"""The runs of batch scoring for people: a sentence for each, with what moved in its table.

Owns the words. Leaves comparing to `monitoring.drift`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from configs.monitoring import Monitoring
from monitoring.drift.looking import ColumnDrift, inspect
from monitoring.records.log_keys import LogKeys

MOST_NAMED = 5  # columns of one table


def batches(settings: Monitoring, keys: LogKeys, since: datetime) -> Iterator[str]:
    """A sentence for each run since then, the newest first."""
    found = inspect(settings, keys, since, None, "hour", "batch").drift
    found.sort(key=lambda one: (one.start, one.batch_run), reverse=True)
    for _, columns in groupby(found, key=lambda one: one.batch_run):
        yield sentence(list(columns))


def sentence(columns: Sequence[ColumnDrift]) -> str:
    """What a run scored, and which of its columns moved, those with the highest PSI first."""
    one = columns[0]
    rows = max(column.rows for column in columns)
    moved = sorted((column for column in columns if column.breach), key=lambda column: -column.psi)
    named = ", ".join(f"{column.column} (PSI {column.psi:.2f})" for column in moved[:MOST_NAMED])
    more = f" and {len(moved) - MOST_NAMED} more" if len(moved) > MOST_NAMED else ""
    verdict = f"moved: {named}{more}" if moved else "nothing moved"
    return f"{one.start:%d %b %Y, %H:%M} UTC, run {one.batch_run}: {rows:,} rows by {one.model}; {verdict}"
