"""The decisions of the log as columns, each with its outcome where that is known.

Owns: reading segments and archives into arrays, and which decision an outcome belongs to: the newest on its applicant.
Leaves to others: the log's bytes (segments, archive), the store (outcomes), figures (sample).

Reads a million rows in some 6 s: 1 us to decode a row, the rest for its columns.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import RESERVED
from models.deciding import APPROVE, DECLINE, REFER
from monitoring.performance.measures import Doubles
from monitoring.performance.sample import APPROVED, DECLINED, REFERRED
from monitoring.records.lines import LoggedBatch
from monitoring.records.log_keys import LogKeys
from monitoring.records.segments import archive_path, archives, read_lines, segments

CODES: dict[str, int] = {APPROVE: APPROVED, DECLINE: DECLINED, REFER: REFERRED}
NO_VALUE = None


@dataclass
class Column:
    """The values of a column, each by its place among the distinct ones."""

    values: dict[Any, int] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)

    def add(self, value: Any) -> None:
        """Append the value of a row."""
        self.codes.append(self.values.setdefault(value, len(self.values)))

    def coded(self) -> tuple[list[Any], NDArray[np.int64]]:
        """The distinct values, and the place of each row's among them, `[rows]`."""
        return list(self.values), np.array(self.codes, dtype=np.int64)


@dataclass
class Decisions:
    """The decisions of one model, in the order of the log: within a worker that of time.

    Attributes:
        names: of the columns kept.
        time_s: since 1970.
        probability, decision: of each row.
        application_ids: of each row; empty where it was erased.
        columns: of each row the values of the columns kept, None where there is none.
    """

    names: Sequence[str]
    time_s: list[float] = field(default_factory=list)
    probability: list[float] = field(default_factory=list)
    decision: list[int] = field(default_factory=list)
    application_ids: list[str] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin each column."""
        self.columns = {name: Column() for name in self.names}

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.probability)

    def add(self, batch: LoggedBatch) -> None:
        """Append the rows of a batch."""
        time_s, places = batch.time.timestamp(), {name: at for at, name in enumerate(batch.fields)}
        at_id = places.get(RESERVED)
        kept = [(self.columns[name], places.get(name)) for name in self.names]
        for (_, _, probability, decision), sent in zip(batch.decided, batch.rows, strict=True):
            if probability is None:
                continue
            values = sent.values
            self.time_s.append(time_s)
            self.probability.append(probability)
            self.decision.append(CODES.get(decision, DECLINED))
            self.application_ids.append((values and at_id is not None and values[at_id]) or "")
            for column, place in kept:
                column.add(values[place] if values and place is not None else NO_VALUE)

    def add_row(self, time_s: float, probability: float | None, decision: str, applicant: dict[str, Any]) -> None:
        """Append a row of an archive."""
        if probability is None:
            return
        self.time_s.append(time_s)
        self.probability.append(probability)
        self.decision.append(CODES.get(decision, DECLINED))
        self.application_ids.append(applicant.get(RESERVED) or "")
        for name in self.names:
            self.columns[name].add(applicant.get(name))


def read_decisions(
    directory: Path,
    keys: LogKeys,
    since: datetime | None,
    until: datetime | None,
    columns_of: Callable[[str], Sequence[str]],
) -> dict[str, Decisions]:
    """Read the decisions of each model.

    Args:
        directory: that holds the records.
        keys: of the log.
        since: of the first decisions; None for no bound.
        until: before which they are; likewise.
        columns_of: the columns to keep of a model's decisions, by its tag.

    Raises:
        KeyMissing: a file is encrypted with another key.
    """
    found: dict[str, Decisions] = {}

    def of(model: str) -> Decisions:
        if model not in found:
            found[model] = Decisions(columns_of(model))
        return found[model]

    done = set()
    for segment in segments(directory):
        for batch in _batches(segment, keys):
            done.add(archive_path(directory, segment).name)
            if (since is None or batch.time >= since) and (until is None or batch.time < until):
                of(batch.model).add(batch)
    paths = [path for path in archives(directory) if path.name not in done]
    if paths:
        from monitoring.records import archive  # pyarrow takes 0.25 s and 100 MB
    for path in paths:
        for time, model, row in archive.read_rows(path, keys):
            if (since is None or time >= since) and (until is None or time < until):
                of(model).add_row(time.timestamp(), row.probability, row.decision, row.applicant)
    return found


def _batches(segment: Path, keys: LogKeys) -> Iterator[LoggedBatch]:
    return (batch for batch, _ in read_lines(segment, 0, keys.lines(segment).logged_batch))


def events_of(decisions: Decisions, outcome_of: Callable[[str], bool | None]) -> Doubles:
    """The outcome of each row, `[rows]`: 1, 0, or NaN; of several rows of an applicant the newest has it."""
    events = np.full(len(decisions), np.nan)
    newest: dict[str, int] = {}
    for row, one in enumerate(decisions.application_ids):
        if not one or (event := outcome_of(one)) is None:
            continue
        before = newest.get(one)
        if before is not None:
            if decisions.time_s[before] > decisions.time_s[row]:
                continue
            events[before] = np.nan
        newest[one] = row
        events[row] = float(event)
    return events
