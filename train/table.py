"""Reading a table: CSV or Parquet to columns of text or values, with the line that each row came from.

Owns file formats. Leaves the meaning of a value to `train.check`. Text is taken as it stands: `none`, `NA`
and `null` are words like any other, and only an empty cell is a missing value.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from train.errors import TableError

MAX_FIELD = 1 << 20  # characters of one cell; more is an unclosed quote, not a value


@dataclass(frozen=True)
class RawTable:
    """Columns as they were read; `lines[i]` says where row `i` stands in the file."""

    path: Path
    columns: dict[str, list[Any]]
    lines: list[int]


def read_table(path: Path, wanted: list[str]) -> RawTable:
    """Read the `wanted` columns of a CSV (UTF-8, comma, one header line) or Parquet file."""
    if not path.is_file():
        raise TableError(path, ["no such file; set source.path in the dataset file"])
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path, wanted)
    return _read_csv(path, wanted)


def _read_csv(path: Path, wanted: list[str]) -> RawTable:
    csv.field_size_limit(MAX_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            positions = _positions(path, header, wanted)
            columns: dict[str, list[Any]] = {name: [] for name in wanted}
            lines, broken = [], []
            for cells in reader:
                if len(cells) != len(header):
                    if cells:  # an empty line is no row
                        broken.append(f"line {reader.line_num}: {len(cells)} cells where the header has {len(header)}")
                    continue
                lines.append(reader.line_num)
                for name, position in positions.items():
                    columns[name].append(cells[position])
    except UnicodeDecodeError:
        raise TableError(path, [f"line {_first_bad_line(path)} is not UTF-8; save the table as UTF-8"]) from None
    except csv.Error as error:
        raise TableError(path, [f"line {reader.line_num}: {error}; mend the quotes there"]) from None
    if broken:
        raise TableError(path, broken)
    return RawTable(path, columns, lines)


def _read_parquet(path: Path, wanted: list[str]) -> RawTable:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
        _positions(path, file.schema_arrow.names, wanted)
        table = file.read(columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise TableError(path, [f"is not a readable Parquet file ({error})"]) from None
    columns = {name: [_cell(value) for value in table.column(name).to_pylist()] for name in wanted}
    return RawTable(path, columns, list(range(1, table.num_rows + 1)))


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
    """A Parquet value as a CSV would spell it: missing is empty, truth is a word, and dates and lists are text."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str | int | float | Decimal) else str(value)


def _positions(path: Path, header: list[str], wanted: list[str]) -> dict[str, int]:
    """Where each wanted column stands; missing and doubled ones are faults."""
    if not header:
        raise TableError(path, ["is empty; it needs a header line and rows"])
    faults = [
        f"column {name!r} stands {header.count(name)} times; keep one"
        for name in sorted(set(header))
        if header.count(name) > 1
    ]
    faults += [
        f"column {name!r} is missing; the table has {', '.join(header)}" for name in wanted if name not in header
    ]
    if faults:
        raise TableError(path, faults)
    return {name: header.index(name) for name in wanted}
