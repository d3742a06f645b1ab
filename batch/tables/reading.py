"""Reads the rows of one part.

Owns that a part holds the rows that it was planned with. Leaves formats to `batch.tables.csv_file` and
`batch.tables.parquet_file`.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa

from batch.errors import BatchError
from batch.job import Job, Part
from batch.tables import csv_file, parquet_file
from batch.tables.pieces import ReadBatch
from models.schema import Schema


def batches(job: Job, part: Part, schema: Schema) -> Iterator[ReadBatch]:
    """The rows of a part, in order; raises `BatchError` where it cannot be read, or is not what was planned."""
    name, rows = PurePosixPath(part.path).name, 0
    try:
        for read in _batches(job, part, schema):
            rows += read.batch.num_rows + len(read.damaged)
            yield read
    except (pa.ArrowException, OSError, UnicodeError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        rows_said = f"rows {part.first_row:,} to {part.first_row + part.rows - 1:,}"
        raise BatchError(f"{name}: {rows_said} cannot be read ({problem}); transfer or write the file again") from None
    if rows != part.rows:
        problem = f"part {part.number} has {rows:,} rows, and had {part.rows:,} when the run was planned"
        raise BatchError(f"{name}: {problem}; score the changed table into another folder")


def _batches(job: Job, part: Part, schema: Schema) -> Iterator[ReadBatch]:
    if job.kind == "csv":
        return csv_file.batches(job, part, schema.dataset.source)
    categorical = [feature.name for feature in schema.dataset.features if feature.type == "categorical"]
    return parquet_file.batches(job, part, [name for name in categorical if name in job.columns])
