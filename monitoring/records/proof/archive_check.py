"""Whether an archive holds the lines of its segment as they were written, and columns that say the same.

Owns: reading the lines of an archive. Leaves to others: the lines themselves (segment_check). The archive has every
line in full, so nobody has to trust the compaction that wrote it; the columns, and which there are, are made from the
lines again and compared. A column without a value may be there if rows were erased, as it may have had theirs.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from monitoring.records.archive import open_archive
from monitoring.records.archive_columns import (
    FORMAT,
    HEAD,
    LEADING,
    SEAL,
    TRAILING,
    column_of,
    features_of,
    schema_of,
    table_of,
)
from monitoring.records.lines import LoggedBatch, decode_batch
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof.segment_check import SegmentCheck


def check_archive(path: Path, keys: LogKeys) -> SegmentCheck:
    """Check the archive of a segment.

    Raises:
        KeyMissing: it is encrypted with a key that is not in `keys`.
        FileNotFoundError: the file is gone.
    """
    check = SegmentCheck(f"{path.stem}.log", keys)
    try:
        with open_archive(path, keys) as (file, _):
            check.good_bytes = path.stat().st_size
            _check(file, check)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:  # how pyarrow says that a file is damaged
        reason = str(error).partition("\n")[0]
        check.fault(None, f"the archive is damaged: {reason}")
    return check


def _check(file: Any, check: SegmentCheck) -> None:
    schema = file.schema_arrow
    metadata = schema.metadata or {}
    head, seal = metadata.get(HEAD, b""), metadata.get(SEAL, b"")
    check.is_chained = FORMAT in metadata and bool(head)
    if check.is_chained:
        check.add_head(head)
    else:
        check.rows = file.metadata.num_rows
    if FORMAT not in metadata:
        return
    if [field.type for field in schema if field.name == "line"] != [pa.string()]:
        check.fault(None, "the archive has no column `line`: it was changed")
        return
    number, columns = 1, _ImpliedColumns()
    for group in range(file.num_row_groups):
        table = file.read_row_group(group)
        lines = [line.encode() for line in table.column("line").to_pylist() if line is not None]
        for number, payload in enumerate(lines, number + 1):  # noqa: B020 - goes on over the row groups
            if check.is_chained:
                check.add_rows(payload, number)
            columns.add(decode_batch(payload))
        if not table.equals(table_of(lines, check.segment, schema)):
            check.fault(None, f"the columns of row group {group} do not say what the lines in it do")
    if not columns.are_those_of(schema):
        check.fault(None, "the archive has other columns than its lines say: some were removed, added or changed")
    if check.is_chained and seal:
        check.add_seal(seal, number + 1)


class _ImpliedColumns:
    """The columns that an archive of some lines has to have."""

    def __init__(self) -> None:
        self._features: dict[str, Any] = {}
        self._any_erased = False

    def add(self, logged: LoggedBatch | None) -> None:
        """Take a line into account; nothing of one that is damaged."""
        if logged is None:
            return
        batch = logged.to_batch()
        self._any_erased = self._any_erased or not all(row.applicant for row in batch.rows)
        for name, kind in features_of([batch]).items():
            self._features[name] = kind if self._features.get(name, kind) == kind else pa.string()

    def are_those_of(self, schema: Any) -> bool:
        """Whether a schema has these columns, and only such besides that erased rows may have had a value in."""
        expected = schema_of(self._features, b"", b"")
        if schema.equals(expected):
            return True
        leading, trailing = len(LEADING), len(schema) - len(TRAILING)
        own = [*schema][:leading] + [*schema][trailing:]
        if not self._any_erased or own != [*expected][:leading] + [*expected][-len(TRAILING) :]:
            return False
        columns = {schema.field(index).name: schema.field(index).type for index in range(leading, trailing)}
        if len(columns) != trailing - leading or not set(columns.values()) <= {pa.string(), pa.float64()}:
            return False
        # An erased row may have had a text where all that are left are numbers.
        return all(columns.get(column_of(name)) in (kind, pa.string()) for name, kind in self._features.items())
