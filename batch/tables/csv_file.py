"""Reads CSV files, plain or compressed by gzip, in the dialect of the dataset file of the model.

Owns the header, the parts of a file, and reading one of them. Every cell is text; an empty one is null, and so is what
the dataset file lists in `null_values`. Leaves what a cell means to `batch.rows`.
"""

import codecs
import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import csv as pcsv

from batch.errors import BatchError
from batch.job import Job, Part
from batch.tables.csv_scan import pieces
from batch.tables.pieces import Piece, ReadBatch
from batch.tables.places import opened
from batch.tables.unbroken import Unbroken
from configs.dataset import Source

HEADER_BYTES = 1 << 20  # of a header at most
BLOCK_BYTES = 4 << 20
ASCII = "".join(map(chr, range(32, 127))) + "\r\n\t"


class Header(NamedTuple):
    """The names of the columns, where the rows begin, in bytes, and how many lines and records are before."""

    names: tuple[str, ...]
    start: int
    lines: int
    records: int


def read_header(path: str, source: Source) -> Header:
    """The header of a file; before it Excel may have written its own line about the separator, `sep=;`."""
    encoding, name = _encoding(source), PurePosixPath(path).name
    with _stream(path) as file:
        head = bytes(file.read(HEADER_BYTES))
    mark = len(codecs.BOM_UTF8) if encoding == "utf-8" and head.startswith(codecs.BOM_UTF8) else 0
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head[mark:])
        lines = StringIO(text, newline="")
        reader = csv.reader(lines, strict=True, delimiter=source.separator)
        names, records = next(reader, []), 1
        if names and names[0].startswith("sep=") and len(names) <= 2:
            names, records = next(reader, []), 2
    except (UnicodeError, csv.Error) as error:
        raise BatchError(f"{name}: the header cannot be read ({error}); it is read as {source.encoding}") from None
    if not names:
        raise BatchError(f"{name}: is empty; it needs a header line and rows")
    start = mark + len(text[: lines.tell()].encode(encoding)) if _can_be_cut(path, source) else 0
    return Header(tuple(names), start, reader.line_num, records)


def cut(path: str, source: Source, header: Header, part_rows: int) -> Iterator[Piece]:
    """The pieces of a file; one that is compressed, or in an encoding of wide characters, is one piece."""
    name = PurePosixPath(path).name
    if _can_be_cut(path, source):
        system, inner = opened(path)
        with system.open_input_file(inner) as file:
            file.seek(header.start)
            blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
            yield from pieces(blocks, header.start, source.separator, part_rows, name)
        return
    with _stream(path) as file:
        decode = codecs.getincrementaldecoder(_encoding(source))().decode
        blocks = (decode(block).encode() for block in iter(lambda: file.read(BLOCK_BYTES), b""))
        records = sum(piece.rows for piece in pieces(blocks, 0, source.separator, part_rows, name))
    if records > header.records:
        yield Piece(0, -1, records - header.records)


def batches(job: Job, part: Part, source: Source) -> Iterator[ReadBatch]:
    """The rows of a part, in order."""
    damaged: list[tuple[int, str]] = []

    def note(row: Any) -> str:
        problem = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        damaged.append((row.number - 1, problem))
        return "skip"

    kinds = {name: pa.string() for name in job.columns}
    whole = part.stop < 0
    reading = pcsv.ReadOptions(
        use_threads=False,
        block_size=BLOCK_BYTES,
        column_names=list(job.header),
        skip_rows=read_header(part.path, source).lines if whole else 0,
    )
    parsing = pcsv.ParseOptions(
        delimiter=source.separator, newlines_in_values=True, invalid_row_handler=note, ignore_empty_lines=True
    )
    converting = pcsv.ConvertOptions(
        column_types=kinds,
        include_columns=list(job.columns),
        strings_can_be_null=True,
        null_values=["", *source.null_values],
    )
    with _stream(part.path) if whole else _range(part) as file:
        unbroken = pa.PythonFile(Unbroken(file, _encoding(source)), mode="r")
        reader = pcsv.open_csv(unbroken, read_options=reading, parse_options=parsing, convert_options=converting)
        following, told = 0, 0
        for batch in reader:
            numbers, passed = _numbers(following, batch.num_rows, {number for number, _ in damaged})
            following = passed
            yield ReadBatch(batch, numbers, [one for one in damaged[told:] if one[0] < following])
            told += sum(number < following for number, _ in damaged[told:])
        if damaged[told:]:
            yield ReadBatch(batch.slice(0, 0), [], damaged[told:])


def _numbers(following: int, rows: int, gaps: set[int]) -> tuple[list[int] | None, int]:
    """The numbers of the next rows, which leave out the gaps, and the number after them.

    >>> _numbers(3, 2, {1}), _numbers(3, 2, {4})
    ((None, 5), ([3, 5], 6))
    """
    if not any(following <= gap < following + rows + len(gaps) for gap in gaps):
        return None, following + rows
    numbers: list[int] = []
    while len(numbers) < rows:
        if following not in gaps:
            numbers.append(following)
        following += 1
    return numbers, following


def _stream(path: str) -> Any:
    system, inner = opened(path)
    return system.open_input_stream(inner, compression="gzip" if path.lower().endswith(".gz") else None)


def _range(part: Part) -> Any:
    system, inner = opened(part.path)
    with system.open_input_file(inner) as file:
        file.seek(part.start)
        return pa.BufferReader(file.read_buffer(part.stop - part.start))


def _encoding(source: Source) -> str:
    return codecs.lookup(source.encoding).name


def _can_be_cut(path: str, source: Source) -> bool:
    """Whether a byte of a separator, a quote or a line feed means just that, wherever in the file."""
    return not path.lower().endswith(".gz") and ASCII.encode(_encoding(source)) == ASCII.encode("ascii")
