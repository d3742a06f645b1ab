"""Archives: the rows of one segment as a Parquet file, for DuckDB, pandas and auditors.

Owns: reading and writing Parquet, plain or encrypted. Leaves to others: the columns (archive_columns), when a segment
is archived (compaction), what is erased (erasure), verifying (archive_check). pyarrow costs 0.25 s and 100 MB, so
callers import this module late.

A row is one scored applicant. The row of an erased applicant stays, without id and values. Archives are encrypted as a
whole with the log's own key, so that DuckDB and pandas can open them. A row group ends where a line does.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from monitoring.records.archive_columns import (
    FORMAT,
    TRAILING,
    feature_of,
    features_of,
    ours,
    schema_of,
    table_of,
)
from monitoring.records.cipher import KeyMissing
from monitoring.records.durable import PRIVATE, create
from monitoring.records.line_erasure import erase_from_payload
from monitoring.records.lines import Row, decode_batch, unframed
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof.segment_ends import is_end, parse_head, parse_seal
from monitoring.records.segments import read, read_lines

ROW_GROUP_ROWS = 16_384  # rows in memory at a time, about 2 kB each as Python objects
BATCH_ROWS = 1024  # rows read at a time

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
    features = features_of(batch for batch, _ in read(segment, keys=keys))
    plain = [payload for payload, _ in read_lines(segment, 0, unframed) if is_end(payload)]
    head = next((payload for payload in plain if parse_head(payload)), b"")
    seal = next((payload for payload in plain if parse_seal(payload)), b"")
    schema = schema_of(features, head, seal)
    rows, newest = 0, 0.0
    with _writer(path, schema, secret) as write_table:
        group: list[bytes] = []
        in_group = 0
        for payload, _ in read_lines(segment, 0, keys.lines(segment).payload):
            batch = None if is_end(payload) else decode_batch(payload)
            if batch is None or not _is_text(payload):  # the caller sees that rows are missing
                continue
            newest = max(newest, batch.time.timestamp())
            group.append(payload.rstrip(b" "))
            rows, in_group = rows + len(batch.rows), in_group + len(batch.rows)
            if in_group >= ROW_GROUP_ROWS:
                write_table(table_of(group, segment.name, schema))
                group, in_group = [], 0
        if group or not rows:
            write_table(table_of(group, segment.name, schema))
    os.utime(path, (newest, newest))
    return rows


def _is_text(payload: bytes) -> bool:
    """Whether a line can be a text of a column: what nothing reads of it may be anything."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def find_rows(archive: Path, application_id: str, keys: LogKeys) -> set[RowKey]:
    """Return the rows of an applicant in an archive."""
    with open_archive(archive, keys) as (file, _):
        found: set[RowKey] = set()
        for group in file.iter_batches(columns=["application_id", "segment", "sequence"]):
            matching = group.filter(_matches(group.column("application_id"), application_id))
            segments, numbers = (matching.column(name).to_pylist() for name in ("segment", "sequence"))
            found |= set(zip(segments, numbers, strict=True))
        return found


def application_ids(archive: Path, keys: LogKeys) -> Iterator[str]:
    """Iterate over the ids in an archive, erased ones left out."""
    with open_archive(archive, keys) as (file, _):
        for group in file.iter_batches(columns=["application_id"]):
            yield from filter(None, group.column(0).to_pylist())


def newest_decision(
    archive: Path, application_id: str, keys: LogKeys, owner: str | None = None
) -> tuple[datetime, str, Row] | None:
    """Return the newest decision on an applicant in an archive: time, model and row; None if there is none.

    Args:
        archive: to search.
        application_id: of the applicant.
        keys: of the log.
        owner: the caller whose rows count; None for those of all.
    """
    newest = None
    for found in read_rows(archive, keys, application_id):
        if owner is None or found[2].caller == owner:
            newest = found
    return newest


def read_rows(archive: Path, keys: LogKeys, application_id: str | None = None) -> Iterator[tuple[datetime, str, Row]]:
    """Iterate over the decisions in an archive, or those on one applicant: time, model and row.

    The applicant of an erased row is empty.
    """
    with open_archive(archive, keys) as (file, _):
        known = ours(file.schema_arrow)
        columns = [name for name in file.schema_arrow.names if name not in TRAILING or name not in known]
        for number in range(file.num_row_groups):
            if application_id is not None:
                ids = file.read_row_group(number, columns=["application_id"]).column("application_id")
                if not pc.any(_matches(ids, application_id)).as_py():
                    continue
            for part in file.iter_batches(BATCH_ROWS, row_groups=[number], columns=columns):
                matching = part
                if application_id is not None:
                    matching = part.filter(_matches(part.column("application_id"), application_id))
                for found in matching.to_pylist():
                    yield found["time"], found["model"], _row_of(found, known)


def _row_of(found: dict[str, Any], known: frozenset[str]) -> Row:
    applicant = {
        feature_of(name, known): value
        for name, value in found.items()
        if value is not None and (name not in known or name == "application_id")
    }
    caller, request_id = (found[name] or "" if name in known else "" for name in ("caller", "request_id"))
    return Row(found["protocol"], found["probability"], found["decision"], applicant, caller, request_id)


def write_erased(path: Path, archive: Path, application_id: str, keys: LogKeys) -> None:
    """Write an archive to `path` without the ids and the values of an applicant, and otherwise unchanged."""
    with open_archive(archive, keys) as (file, secret), _writer(path, file.schema_arrow, secret) as write_table:
        schema = file.schema_arrow
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            write_table(
                _without_from_lines(table, application_id)
                if FORMAT in (schema.metadata or {})
                else _without(table, application_id, ours(schema))
            )
    modified_s = archive.stat().st_mtime
    os.utime(path, (modified_s, modified_s))


def _without_from_lines(table: Any, application_id: str) -> Any:
    """A row group without an applicant, made again from its lines."""
    needle = msgspec.json.encode(application_id)
    payloads = [line.encode() for line in table.column("line").to_pylist() if line is not None]
    if not any(needle in payload for payload in payloads):
        return table
    erased = []
    for payload in payloads:
        content, indexes = erase_from_payload(payload, needle, application_id) if needle in payload else (b"", [])
        erased.append(content if indexes else payload)
    segment = table.column("segment")[0].as_py()
    return table_of(erased, segment, table.schema)


def _without(table: Any, application_id: str, not_features: frozenset[str]) -> Any:
    """A row group of an earlier version without an applicant."""
    erased = _matches(table.column("application_id"), application_id)
    for index, field in enumerate(table.schema):
        if field.name == "application_id" or field.name not in not_features:
            empty = pa.scalar(None, field.type)
            table = table.set_column(index, field, pc.if_else(erased, empty, table.column(index)))
    return table


def _matches(ids: Any, application_id: str) -> Any:
    return pc.fill_null(pc.equal(ids, application_id), False)


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
def open_archive(archive: Path, keys: LogKeys) -> Iterator[tuple[Any, bytes | None]]:
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
