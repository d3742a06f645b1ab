"""Archives: the rows of one segment as a Parquet file, for DuckDB, pandas and auditors.

Owns: columns and their types, reading and writing Parquet, plain or encrypted. Leaves to others: when a segment is
archived (compaction), what is erased (erasure). pyarrow costs 0.25 s and 100 MB, so callers import this module late.

A row is one scored applicant. A feature is a column of doubles if all its values in the segment are numbers, otherwise
of texts; a feature without any value has no column. A column has the name of its feature, with `applicant.` before it
where that name is one of ours: `column_of`. The row of an erased applicant stays, without id and values.
Archives are encrypted as a whole with the log's own key, so that DuckDB and pandas can open them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from monitoring.records.cipher import KeyMissing
from monitoring.records.durable import PRIVATE, create
from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import LogKeys
from monitoring.records.segments import read

ROW_GROUP_ROWS = 16_384  # rows in memory at a time, about 2 kB each as Python objects
_LEADING = {
    "time": pa.timestamp("us", "UTC"),
    "model": pa.string(),
    "protocol": pa.string(),
    "application_id": pa.string(),
    "probability": pa.float64(),
    "decision": pa.string(),
}
_TRAILING = {"segment": pa.string(), "sequence": pa.int64()}  # the source of the row: its file, and its number there
_OURS = frozenset((*_LEADING, *_TRAILING))
_PREFIX = "applicant."
_NOT_PERSONAL = frozenset(("time", "model", "protocol", "probability", "decision", *_TRAILING))

RowKey = tuple[str, int]  # segment and sequence number


def write(path: Path, segment: Path, keys: LogKeys, secret: bytes | None) -> int:
    """Write the rows of a segment to `path`, synced and dated as its newest row; return their number.

    Args:
        path: of the new file.
        segment: closed segment to read.
        keys: to decrypt the segment.
        secret: to encrypt the archive; None for plain Parquet.

    Raises:
        KeyMissing: a line is encrypted with another key.
        OSError: the disk is full.
    """
    features = _features(batch for batch, _ in read(segment, keys=keys))
    schema = pa.schema(_LEADING | {column_of(feature): kind for feature, kind in features.items()} | _TRAILING)
    rows, newest = 0, 0.0
    with _writer(path, schema, secret) as write_table:
        group: list[tuple[Batch, int, Row]] = []
        for batch, _ in read(segment, keys=keys):
            newest = max(newest, batch.time.timestamp())
            for number, row in enumerate(batch.rows, batch.sequence):
                group.append((batch, number, row))
                if len(group) == ROW_GROUP_ROWS:
                    write_table(_table(group, segment.name, features, schema))
                    rows += len(group)
                    group = []
        if group or not rows:
            write_table(_table(group, segment.name, features, schema))
            rows += len(group)
    os.utime(path, (newest, newest))
    return rows


def find_rows(archive: Path, application_id: str, keys: LogKeys) -> set[RowKey]:
    """Return the rows of an applicant in an archive."""
    with _open_archive(archive, keys) as (file, _):
        found: set[RowKey] = set()
        for group in file.iter_batches(columns=["application_id", "segment", "sequence"]):
            matching = group.filter(_matches(group.column("application_id"), application_id))
            segments, numbers = (matching.column(name).to_pylist() for name in ("segment", "sequence"))
            found |= set(zip(segments, numbers, strict=True))
        return found


def application_ids(archive: Path, keys: LogKeys) -> Iterator[str]:
    """Iterate over the ids in an archive, erased ones left out."""
    with _open_archive(archive, keys) as (file, _):
        for group in file.iter_batches(columns=["application_id"]):
            yield from filter(None, group.column(0).to_pylist())


def newest_decision(archive: Path, application_id: str, keys: LogKeys) -> tuple[datetime, str, Row] | None:
    """Return the newest decision on an applicant in an archive: time, model and row; None if there is none."""
    newest: dict[str, Any] | None = None
    with _open_archive(archive, keys) as (file, _):
        for number in range(file.num_row_groups):
            ids = file.read_row_group(number, columns=["application_id"]).column("application_id")
            if not pc.any(_matches(ids, application_id)).as_py():
                continue
            table = file.read_row_group(number)
            newest = table.filter(_matches(table.column("application_id"), application_id)).to_pylist()[-1]
    if newest is None:
        return None
    applicant = {
        feature_of(name): value for name, value in newest.items() if value is not None and name not in _NOT_PERSONAL
    }
    row = Row(newest["protocol"], newest["probability"], newest["decision"], applicant)
    return newest["time"], newest["model"], row


def write_erased(path: Path, archive: Path, application_id: str, keys: LogKeys) -> None:
    """Write an archive to `path` without the id and the values of an applicant, and otherwise unchanged."""
    with _open_archive(archive, keys) as (file, secret), _writer(path, file.schema_arrow, secret) as write_table:
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            erased = _matches(table.column("application_id"), application_id)
            for index, field in enumerate(table.schema):
                if field.name not in _NOT_PERSONAL:
                    empty = pa.scalar(None, field.type)
                    table = table.set_column(index, field, pc.if_else(erased, empty, table.column(index)))
            write_table(table)
    modified_s = archive.stat().st_mtime
    os.utime(path, (modified_s, modified_s))


def column_of(feature: str) -> str:
    """The column of a feature. Only names that end up as one of ours get a prefix, so no two features share a column.

    >>> column_of("income"), column_of("applicant.income"), column_of("time"), column_of("applicant.time")
    ('income', 'applicant.income', 'applicant.time', 'applicant.applicant.time')
    """
    return f"{_PREFIX}{feature}" if _ends_as_ours(feature) else feature


def feature_of(column: str) -> str:
    """The feature whose column this is: `column_of` backwards.

    >>> feature_of("applicant.income"), feature_of("applicant.applicant.time")
    ('applicant.income', 'applicant.time')
    """
    return column.removeprefix(_PREFIX) if _ends_as_ours(column) else column


def _ends_as_ours(name: str) -> bool:
    """Whether nothing but the name of one of our columns is left without the prefixes."""
    while name.startswith(_PREFIX):
        name = name.removeprefix(_PREFIX)
    return name in _OURS


def _matches(ids: Any, application_id: str) -> Any:
    return pc.fill_null(pc.equal(ids, application_id), False)


def _features(batches: Iterator[Batch]) -> dict[str, Any]:
    """Return the features that have values and the type of each column, in order of appearance."""
    kinds: dict[str, set[type]] = {}
    for batch in batches:
        for row in batch.rows:
            for name, value in row.applicant.items():
                if value is not None and name != "application_id":
                    kinds.setdefault(name, set()).add(type(value))
    return {name: pa.float64() if types <= {int, float} else pa.string() for name, types in kinds.items()}


def _table(group: Sequence[tuple[Batch, int, Row]], segment: str, features: dict[str, Any], schema: Any) -> Any:
    applicants = [row.applicant for _, _, row in group]
    columns: list[list[Any]] = [
        [batch.time for batch, _, _ in group],
        [batch.model for batch, _, _ in group],
        [row.protocol for _, _, row in group],
        [applicant.get("application_id") for applicant in applicants],
        [row.probability for _, _, row in group],
        [row.decision for _, _, row in group],
    ]
    for name, kind in features.items():
        cast: Callable[[Any], Any] = float if kind == pa.float64() else _text
        values = (applicant.get(name) for applicant in applicants)
        columns.append([None if value is None else cast(value) for value in values])
    columns += [[segment] * len(group), [number for _, number, _ in group]]
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


@contextmanager
def _writer(path: Path, schema: Any, secret: bytes | None) -> Iterator[Callable[[Any], None]]:
    properties = pe.create_encryption_properties(secret) if secret else None
    with create(path, PRIVATE) as file:
        writer = pq.ParquetWriter(file, schema, compression="zstd", encryption_properties=properties)
        try:
            yield writer.write_table
        except BaseException:
            with suppress(OSError):  # writing the footer to a full disk
                writer.close()
            raise
        writer.close()


@contextmanager
def _open_archive(archive: Path, keys: LogKeys) -> Iterator[tuple[Any, bytes | None]]:
    """Open an archive; yield the file and the key that decrypts it, None for a plain one."""
    with archive.open("rb") as file:
        if file.read(4) != b"PARE":  # the magic bytes of a file with an encrypted footer
            yield pq.ParquetFile(file), None
            return
        for secret in keys.secrets:
            try:
                opened = pq.ParquetFile(file, decryption_properties=pe.create_decryption_properties(secret))
            except OSError:  # how pyarrow reports a wrong key
                continue
            yield opened, secret
            return
    raise KeyMissing(archive.name)
