"""Reads a Parquet file: each column by its type, and never a value by chance.

Owns which Arrow types are values, and which value each becomes. A value is text, a whole number, a float or a decimal,
as a CSV could hold it; a missing one is the empty text. Binary is text if it is UTF-8, as Spark and others write it.
What is neither text nor number (dates, times, lists, structs, maps) is not a value: its text would be an accident of a
library, and clients would have to send that.
"""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.spelling import likeness
from train.errors import Faults, TableError

if TYPE_CHECKING:
    import pyarrow as pa

TIMES = "a duration in days or months, as a number"


def read_parquet_file(
    path: Path,
    wanted: list[str] | None,
    faults: Faults,
    chunk_rows: int,
    where: str,
    is_date: Callable[[str], bool] = lambda _: False,
) -> Iterator[tuple[dict[str, list[Any]], range, dict[str, str]]]:
    """Columns, row numbers from 1, and the reason for each column that is left out, chunk by chunk; first no rows.

    Args:
        path: the file.
        wanted: names of columns, each of which must be usable; None for all that are.
        faults: collects the cells that are not text.
        chunk_rows: rows per chunk.
        where: the file, for faults, if there are several.
        is_date: whether a column, by its name, may hold dates, which become text.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            schema = file.schema_arrow
            positions_of(path, schema.names, schema.names if wanted is None else wanted)
            dated = {field.name for field in schema if is_date(field.name) and _is_date(field.type)}
            unusable = {
                field.name: reason
                for field in schema
                if field.name not in dated and (reason := why_unusable(field.type))
            }
            if wanted is not None and (named := [name for name in wanted if name in unusable]):
                raise TableError(path, [f"column {name!r} {unusable[name]}" for name in named])
            names = [name for name in schema.names if name not in unusable] if wanted is None else wanted
            convert = {name: _dated if name in dated else _converter(schema.field(name).type) for name in names}
            yield {name: [] for name in names}, range(0), unusable
            row = 1
            for batch in file.iter_batches(chunk_rows, columns=names):
                columns = {}
                for name in names:
                    cells = batch.column(name).to_pylist()
                    columns[name] = [convert[name](cell) for cell in cells]
                    if None in columns[name]:
                        _refuse_bytes(columns[name], cells, row, name, faults, where)
                yield columns, range(row, row + batch.num_rows), unusable
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise TableError(path, [f"is not a readable Parquet file ({error})"]) from None


def _refuse_bytes(columns: list[Any], cells: list[bytes], row: int, name: str, faults: Faults, where: str) -> None:
    """Count the cells that are None, bytes that are not text, as faults."""
    for place, cell in enumerate(columns):
        if cell is None:
            problem = f"{bytes(cells[place])[:20]!r} is not UTF-8; store text there, or remove the column"
            faults.add(f"{where}line {row + place}, column {name!r}: {problem}")
            columns[place] = ""


def why_unusable(kind: "pa.DataType") -> str:
    """Why values of an Arrow type are neither text nor numbers, with the remedy; empty if they are."""
    import pyarrow.types as are

    if are.is_dictionary(kind) or are.is_run_end_encoded(kind):
        return why_unusable(kind.value_type)
    if _is_text(kind) or _is_binary(kind) or are.is_boolean(kind) or are.is_null(kind):
        return ""
    if are.is_integer(kind) or are.is_floating(kind) or are.is_decimal(kind):
        return ""
    if _is_date(kind):
        return f"holds dates ({kind}); replace them by {TIMES}"
    if are.is_time(kind) or are.is_duration(kind) or are.is_interval(kind):
        return f"holds times ({kind}); replace them by {TIMES}"
    return f"holds {kind}, which is neither text nor a number; store each of its parts as a column"


def text_of(cell: Any) -> str:
    """A value as text: the digits of a number as people write them, without an exponent for a decimal.

    >>> text_of("x"), text_of(18446744073709551615), text_of(1.5), text_of(Decimal("1E+3")), text_of(Decimal("1.50"))
    ('x', '18446744073709551615', '1.5', '1000', '1.50')
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return repr(cell)
    raise TypeError(f"a cell cannot be {type(cell).__name__}")


def positions_of(path: Path, header: list[str], wanted: list[str]) -> dict[str, int]:
    """The position of each wanted column; missing and repeated columns are faults."""
    faults = [
        f"column {name!r} appears {header.count(name)} times; keep one"
        for name in sorted(set(wanted))
        if header.count(name) > 1
    ]
    listed = ", ".join(name for name in header if name)
    faults += [
        f"column {name!r} is missing{likeness(name, header)}; the table has {listed}"
        for name in wanted
        if name not in header
    ]
    if faults:
        raise TableError(path, faults)
    return {name: header.index(name) for name in wanted}


def _is_date(kind: "pa.DataType") -> bool:
    import pyarrow.types as are

    return bool(are.is_timestamp(kind) or are.is_date(kind))


def _dated(value: Any) -> str:
    """The day of a date or a time, as text; empty where it is missing."""
    return "" if value is None else str(value)[:10]


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow.types as are

    return bool(are.is_string(kind) or are.is_large_string(kind) or are.is_string_view(kind))


def _is_binary(kind: "pa.DataType") -> bool:
    import pyarrow.types as are

    every = (are.is_binary, are.is_large_binary, are.is_fixed_size_binary, are.is_binary_view)
    return any(test(kind) for test in every)


def _converter(kind: "pa.DataType") -> Callable[[Any], Any]:
    """The function that turns a value of a usable type into a cell; it gives None for bytes that are not text."""
    import pyarrow.types as are

    if are.is_dictionary(kind) or are.is_run_end_encoded(kind):
        return _converter(kind.value_type)
    if _is_binary(kind):
        return _decoded
    if are.is_boolean(kind):
        return lambda value: "" if value is None else "true" if value else "false"
    if are.is_floating(kind):
        return lambda value: "" if value is None or math.isnan(value) else float(value)
    return lambda value: "" if value is None else value


def _decoded(value: bytes | None) -> str | None:
    try:
        return "" if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return None
