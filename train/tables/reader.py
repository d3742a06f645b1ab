"""Reads a table chunk by chunk: CSV or Parquet to columns of text or values, with the line of each row.

Owns file formats. Leaves the meaning of a value to `train.check`. Text is taken literally: `none`, `NA` and `null` are
ordinary words, and only an empty cell is a missing value.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from train.errors import Faults, TableError

MAX_FIELD = 1 << 20  # characters per cell; a longer one is an unclosed quote
CHUNK_ROWS = 8192  # rows of text in memory: a few MB, and the cost per chunk is negligible
_CELL = re.compile(r'"[^"]*(?:""[^"]*)*"(?=[,\r\n])|(?!")[^,\r\n]*')
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class TableChunk:
    """Rows read together; `lines[i]` is the line of row `i` in the file."""

    columns: dict[str, list[Any]]
    lines: Sequence[int]


def read_table(path: Path, wanted: list[str] | None, faults: Faults) -> Iterator[TableChunk]:
    """Read a CSV (UTF-8, comma, one header line) or Parquet file.

    Args:
        path: the file; its suffix gives the format.
        wanted: names of columns; None for all.
        faults: collects rows whose length differs from the header's; an unreadable file raises instead.
    """
    if not path.is_file():
        raise TableError(path, ["no such file; set source.path in the dataset file"])
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path, wanted)
    return _read_csv(path, wanted, faults)


def _read_csv(path: Path, wanted: list[str] | None, faults: Faults) -> Iterator[TableChunk]:
    csv.field_size_limit(MAX_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            wanted = header if wanted is None else wanted
            positions = _positions(path, header, wanted)
            yield _no_rows(wanted)
            numbered = ((reader.line_num, cells) for cells in reader)
            complete = _complete_rows(numbered, len(header), faults)
            while rows := list(islice(complete, CHUNK_ROWS)):
                columns = {name: [cells[position] for _, cells in rows] for name, position in positions.items()}
                yield TableChunk(columns, [line for line, _ in rows])
    except UnicodeDecodeError:
        raise TableError(path, [f"line {_first_bad_line(path)} is not UTF-8; save the table as UTF-8"]) from None
    except csv.Error as error:
        opened = f"line {_opening_line(path)}: a quoted cell that starts here does not end properly"
        raise TableError(path, [f"{opened} ({error}); fix the quotes there"]) from None


def _complete_rows(
    numbered: Iterator[tuple[int, list[str]]], width: int, faults: Faults
) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that has `width` cells; any other is a fault, unless its line is empty."""
    for line, cells in numbered:
        if len(cells) == width:
            yield line, cells
        elif cells:
            faults.add(f"line {line}: {len(cells)} cells where the header has {width}")


def _read_parquet(path: Path, wanted: list[str] | None) -> Iterator[TableChunk]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            wanted = file.schema_arrow.names if wanted is None else wanted
            _positions(path, file.schema_arrow.names, wanted)
            yield _no_rows(wanted)
            row = 1
            for batch in file.iter_batches(CHUNK_ROWS, columns=wanted):
                columns = {name: [_cell(value) for value in batch.column(name).to_pylist()] for name in wanted}
                yield TableChunk(columns, range(row, row + batch.num_rows))
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise TableError(path, [f"is not a readable Parquet file ({error})"]) from None


def _no_rows(names: list[str]) -> TableChunk:
    """An empty chunk, which comes first: even a table without rows has columns."""
    return TableChunk({name: [] for name in names}, [])


def _opening_line(path: Path) -> int:
    """The line on which the invalid cell starts; an unclosed quote continues over further lines."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader, good = csv.reader(file, strict=True), 0
        try:
            for _ in reader:
                good = reader.line_num
        except csv.Error:
            bad = reader.line_num
    with path.open(encoding="utf-8-sig", newline="") as file:
        row = "".join(islice(file, good, bad))
    start = 0
    while (cell := _CELL.match(row, start)) and row[cell.end() : cell.end() + 1] == ",":
        start = cell.end() + 1
    return good + 1 + len(_LINE_END.findall(row, 0, start))


def _first_bad_line(path: Path) -> int:
    """The number of the first line that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def _cell(value: Any) -> Any:
    """A Parquet value as in a CSV: a missing one is empty; booleans, dates and lists are text."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str | int | float | Decimal) else str(value)


def _positions(path: Path, header: list[str], wanted: list[str]) -> dict[str, int]:
    """The position of each wanted column; missing and repeated columns are faults."""
    if not header:
        raise TableError(path, ["is empty; it needs a header line and rows"])
    faults = [
        f"column {name!r} appears {header.count(name)} times; keep one"
        for name in sorted(set(header))
        if header.count(name) > 1
    ]
    faults += [
        f"column {name!r} is missing; the table has {', '.join(header)}" for name in wanted if name not in header
    ]
    if faults:
        raise TableError(path, faults)
    return {name: header.index(name) for name in wanted}
