"""The decisions of the log as columns.

Owns: reading segments and archives into arrays, once each. Leaves to others: the log's bytes (segments, archive), names
in the store (outcomes), which outcome a decision has (joining), figures (sample).

A million rows take some 5 s of processor time to read and 100 MB to hold; what is appended later is read alone. Ids are
held as hashes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.dataset import RESERVED
from models.deciding import APPROVE, DECLINE, REFER
from monitoring.performance.measures import Doubles
from monitoring.performance.sample import APPROVED, DECLINED, REFERRED
from monitoring.records.erasure_journal import records_path
from monitoring.records.lines import LoggedBatch, Row, SentRow
from monitoring.records.log_keys import LogKeys
from monitoring.records.segments import archives, read_lines, segments

CODES: dict[str, int] = {APPROVE: APPROVED, DECLINE: DECLINED, REFER: REFERRED}
NO_HASH = 0  # of a row without an id
CHUNK_ROWS = 8192  # rows that become arrays at once


class Vocabulary(dict[Any, int]):
    """The distinct values of a column, each with its code."""

    def __missing__(self, value: Any) -> int:
        """Give a new value the next code."""
        code = self[value] = len(self)
        return code


class Chunk(NamedTuple):
    """Some decisions of one model, `[rows]` each, or `[…, rows]`.

    Attributes:
        time_s: since 1970.
        probability: of the event.
        decision: codes.
        applicants: `[names, rows]`, hashes of the names that the applicant's outcome may have.
        columns: codes of the values of the columns kept, `[columns, rows]`.
    """

    time_s: Doubles
    probability: Doubles
    decision: NDArray[np.int8]
    applicants: NDArray[np.int64]
    columns: NDArray[np.int32]

    def take(self, index: NDArray[Any]) -> "Chunk":
        """The rows at `index`."""
        return Chunk._make(part[..., index] for part in self)


class Decisions(NamedTuple):
    """The decisions of one model.

    Attributes:
        rows: of the log, in any order.
        vocabularies: of the columns kept, in their order.
    """

    rows: Chunk
    vocabularies: Mapping[str, Vocabulary]

    def coded(self, name: str) -> tuple[list[Any], NDArray[np.int32]]:
        """The distinct values of a column, and the code of each row's, `[rows]`."""
        return list(self.vocabularies[name]), self.rows.columns[list(self.vocabularies).index(name)]


@dataclass
class _File:
    """What has been read of a segment or an archive."""

    offset: int = 0
    chunks: dict[str, list[Chunk]] = field(default_factory=dict)


class DecisionReader:
    """Reads one log again and again, each row once.

    Args:
        directory: that holds the records.
        keys: of the log.
        columns_of: the columns to keep of a model's decisions, by its tag.
        names_of: the names that the outcome of an applicant may have.
    """

    def __init__(
        self,
        directory: Path,
        keys: LogKeys,
        columns_of: Callable[[str], Sequence[str]],
        names_of: Callable[[str], Sequence[str]],
    ) -> None:
        self._directory, self._keys = directory, keys
        self._columns_of, self._names_of = columns_of, names_of
        self._names = len(names_of("any"))
        self._vocabularies: dict[str, dict[str, Vocabulary]] = {}
        self._files: dict[str, _File] = {}
        self._erasures = b""
        self.rows = 0

    def read(self, since: datetime | None = None, until: datetime | None = None) -> dict[str, Decisions]:
        """Read what is new, and return the decisions of each model that has any in that time.

        Args:
            since: of the first decisions; None for no bound.
            until: before which they are; likewise.

        Raises:
            KeyMissing: a file is encrypted with another key.
        """
        self._read_on()
        found: dict[str, Decisions] = {}
        for model, vocabularies in self._vocabularies.items():
            chunks = [chunk for file in self._files.values() for chunk in file.chunks.get(model, ())]
            if not chunks:
                continue
            rows = Chunk(*(np.concatenate(parts, axis=-1) for parts in zip(*chunks, strict=True)))
            low = -np.inf if since is None else since.timestamp()
            high = np.inf if until is None else until.timestamp()
            wanted = (rows.time_s >= low) & (rows.time_s < high)
            if wanted.any():
                found[model] = Decisions(rows if wanted.all() else rows.take(wanted), vocabularies)
        return found

    def _read_on(self) -> None:
        """Read what has been logged since the last time, and everything again once an applicant was erased."""
        records = records_path(self._directory)
        erasures = records.read_bytes() if records.exists() else b""
        if erasures != self._erasures:
            self._erasures, self._files, self._vocabularies = erasures, {}, {}
        before, self._files = self._files, {}
        logged = segments(self._directory)
        for segment in logged:
            file = before.get(segment.name, _File())
            if self._read_segment(segment, file):
                self._files[segment.name] = file
        known = {segment.stem for segment in logged if segment.name in self._files}
        for path in archives(self._directory):
            if path.stem not in known:
                self._files[path.name] = before.get(path.name) or self._read_archive(path)
        self.rows = sum(len(c.time_s) for file in self._files.values() for some in file.chunks.values() for c in some)

    def _read_segment(self, segment: Path, file: _File) -> bool:
        """Read the rest of a segment; return False if it is gone, to be read from its archive."""
        waiting = _Waiting(self._chunk)
        lines = self._keys.lines(segment)
        for batch, end in read_lines(segment, file.offset, lines.logged_batch):
            file.offset = end
            waiting.add(batch.model, tuple(batch.fields), batch)
        for model, chunk in waiting.chunks():
            file.chunks.setdefault(model, []).append(chunk)
        return segment.exists()

    def _read_archive(self, path: Path) -> _File:
        from monitoring.records import archive  # pyarrow takes 0.25 s and 100 MB

        file, waiting = _File(), _Waiting(self._chunk)
        for time, model, row in archive.read_rows(path, self._keys):
            waiting.add(model, tuple(row.applicant), _batch_of(time, model, row))
        for model, chunk in waiting.chunks():
            file.chunks.setdefault(model, []).append(chunk)
        return file

    def _chunk(self, model: str, fields: tuple[str, ...], batches: Sequence[LoggedBatch]) -> Chunk:
        """The rows of batches with the same fields as arrays."""
        if model not in self._vocabularies:
            self._vocabularies[model] = {name: Vocabulary() for name in self._columns_of(model)}
        vocabularies = self._vocabularies[model]
        decided = [row for batch in batches for row in batch.decided]
        times = [batch.time.timestamp() for batch in batches]
        values = dict(zip(fields, zip_longest(*(row.values for batch in batches for row in batch.rows)), strict=False))
        nothing = (None,) * len(decided)
        kept = [list(map(code.__getitem__, values.get(name, nothing))) for name, code in vocabularies.items()]
        names_of, no_names = self._names_of, (NO_HASH,) * self._names
        hashes = [tuple(map(hash, names_of(one))) if one else no_names for one in values.get(RESERVED, nothing)]
        rows = Chunk(
            np.repeat(times, [len(batch.decided) for batch in batches]),
            np.array([np.nan if row[2] is None else row[2] for row in decided], dtype=np.float64),
            np.array([CODES.get(row[3], DECLINED) for row in decided], dtype=np.int8),
            np.array(hashes, dtype=np.int64).reshape(len(decided), self._names).T,
            np.array(kept, dtype=np.int32).reshape(len(vocabularies), len(decided)),
        )
        unsound = np.isnan(rows.probability)
        return rows.take(~unsound) if unsound.any() else rows


class _Waiting:
    """Batches until there are enough of the same fields for a chunk."""

    def __init__(self, chunk: Callable[[str, tuple[str, ...], Sequence[LoggedBatch]], Chunk]) -> None:
        self._chunk = chunk
        self._batches: dict[tuple[str, tuple[str, ...]], list[LoggedBatch]] = {}
        self._rows: dict[tuple[str, tuple[str, ...]], int] = {}
        self._done: list[tuple[str, Chunk]] = []

    def add(self, model: str, fields: tuple[str, ...], batch: LoggedBatch) -> None:
        """Add a batch; it becomes part of a chunk when there are enough."""
        key = model, fields
        self._batches.setdefault(key, []).append(batch)
        self._rows[key] = self._rows.get(key, 0) + len(batch.decided)
        if self._rows[key] >= CHUNK_ROWS:
            self._finish(key)

    def chunks(self) -> Iterable[tuple[str, Chunk]]:
        """All of them, by model."""
        for key in list(self._batches):
            self._finish(key)
        return self._done

    def _finish(self, key: tuple[str, tuple[str, ...]]) -> None:
        self._done.append((key[0], self._chunk(*key, self._batches.pop(key))))
        del self._rows[key]


def _batch_of(time: datetime, model: str, row: Row) -> LoggedBatch:
    """A row of an archive, as the log has it."""
    decided = [(row.protocol, row.caller, row.probability, row.decision)]
    return LoggedBatch(0, time, model, "", decided, [*row.applicant], [SentRow("", "", [*row.applicant.values()])])
