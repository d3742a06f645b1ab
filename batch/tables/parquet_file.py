"""Reads Parquet files: row group by row group, within bounded memory however large a group is.

Owns which types of Arrow hold values, the parts of a file, and reading one of them. Leaves what a cell means to
`batch.rows`.
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.types as are
from pyarrow.parquet import ParquetFile

from batch.errors import BatchError
from batch.job import Job, Part
from batch.tables.pieces import Piece, ReadBatch
from batch.tables.places import is_remote, opened

BATCH_ROWS = 32_768  # in memory at a time
BUFFER_BYTES = {False: 1 << 20, True: 8 << 20}  # read at a time of a column: local, remote
MOST_PIECES = 16  # of one row group: each has to pass over the rows before it


def read_schema(path: str) -> pa.Schema:
    """The schema of a file."""
    with _file(path) as file:
        return file.schema_arrow


def cut(path: str, part_rows: int) -> Iterator[Piece]:
    """The pieces of a file, in row groups; a large group is several pieces."""
    with _file(path) as file:
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    start = rows = 0
    for group, size in enumerate(sizes):
        if rows and rows + size > part_rows:
            yield Piece(start, group, rows)
            start, rows = group, 0
        rows += size
        if not rows:
            start = group + 1
        elif rows > part_rows:
            each = max(part_rows, -(-rows // MOST_PIECES))
            for skip in range(0, rows, each):
                yield Piece(start, group + 1, min(each, rows - skip), skip)
            start, rows = group + 1, 0
    if rows:
        yield Piece(start, len(sizes), rows)


def batches(job: Job, part: Part, categorical: Sequence[str]) -> Iterator[ReadBatch]:
    """The rows of a part, in order; columns of `categorical` come as dictionaries where they are texts."""
    skip, left = part.skip, part.rows
    with _file(part.path, categorical) as file:
        groups = range(part.start, part.stop)
        for whole in file.iter_batches(BATCH_ROWS, row_groups=groups, columns=list(job.columns), use_threads=False):
            batch = whole.slice(min(skip, whole.num_rows), left)
            skip -= min(skip, whole.num_rows)
            left -= batch.num_rows
            if batch.num_rows:
                yield ReadBatch(batch, None, [])
            if not left:
                return


def why_unusable(kind: pa.DataType) -> str:
    """Why values of an Arrow type are neither text nor numbers, with the remedy; empty if they are.

    >>> why_unusable(pa.int8()), why_unusable(pa.date32())
    ('', 'holds dates or times (date32[day]); replace them by a duration in days or months, as a number')
    """
    if are.is_dictionary(kind) or are.is_run_end_encoded(kind):
        return why_unusable(kind.value_type)
    texts = (are.is_string, are.is_large_string, are.is_string_view)
    binaries = (are.is_binary, are.is_large_binary, are.is_fixed_size_binary, are.is_binary_view)
    others = (are.is_boolean, are.is_null, are.is_integer, are.is_floating, are.is_decimal)
    if any(test(kind) for test in (*texts, *binaries, *others)):
        return ""
    if are.is_temporal(kind):
        return f"holds dates or times ({kind}); replace them by a duration in days or months, as a number"
    return f"holds {kind}, which is neither text nor a number; store each of its parts as a column"


def _file(path: str, categorical: Sequence[str] = ()) -> ParquetFile:
    system, inner = opened(path)
    try:
        return ParquetFile(
            system.open_input_file(inner),
            read_dictionary=list(categorical),
            buffer_size=BUFFER_BYTES[is_remote(path)],
            pre_buffer=False,
        )
    except (pa.ArrowException, OSError) as error:
        problem = f"{PurePosixPath(path).name}: is not a readable Parquet file"
        raise BatchError(f"{problem} ({str(error).splitlines()[0]}); transfer it again") from None
