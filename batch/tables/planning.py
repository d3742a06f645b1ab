"""Cuts a table into parts, and says at the start what a table lacks.

Owns which columns are read, what is wrong with them, and the numbers of rows and parts. Leaves files to
`batch.tables.files`, and their formats to `batch.tables.csv_file` and `batch.tables.parquet_file`.
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from batch.errors import BatchError
from batch.job import Kind, Part
from batch.tables import csv_file, parquet_file
from batch.tables.files import TableFile, kind_of
from batch.tables.pieces import Piece
from models.schema import Schema
from models.spelling import likeness


class Columns(NamedTuple):
    """Columns of a table: its kind, those that are read, and every name in the order of a CSV file."""

    kind: Kind
    read: tuple[str, ...]
    header: tuple[str, ...]


def columns_of(files: Sequence[TableFile], schema: Schema) -> Columns:
    """The columns of a table; raises `BatchError` where one is missing, repeated, or of no use in one of the files."""
    kind = kind_of(files[0].path)
    found: Columns | None = None
    for file in files:
        if kind == "parquet":
            fields = parquet_file.read_schema(file.path)
            header = tuple(fields.names)
            wanted = _wanted(file.path, header, schema)
            for name in wanted:
                if reason := parquet_file.why_unusable(fields.field(name).type):
                    raise BatchError(f"{PurePosixPath(file.path).name}: column {name!r} {reason}")
            one = Columns(kind, wanted, ())
        else:
            header = csv_file.read_header(file.path, schema.dataset.source).names
            one = Columns(kind, _wanted(file.path, header, schema), header)
        if found is not None and one != found:
            names = f"{PurePosixPath(files[0].path).name} and {PurePosixPath(file.path).name}"
            raise BatchError(f"{names} have different columns; write all files with the same, in the same order")
        found = one
    if found is None:
        raise BatchError("no file")
    return found


def parts_of(files: Sequence[TableFile], columns: Columns, schema: Schema, part_rows: int) -> list[Part]:
    """The parts of a table, in order."""
    parts: list[Part] = []
    row = 0
    for file in files:
        for start, stop, rows, skip in _cut(file.path, columns, schema, part_rows):
            number = len(parts)
            parts.append(
                Part(number=number, path=file.path, first_row=row, rows=rows, start=start, stop=stop, skip=skip)
            )
            row += rows
    return parts


def _cut(path: str, columns: Columns, schema: Schema, part_rows: int) -> Iterator[Piece]:
    if columns.kind == "parquet":
        return parquet_file.cut(path, part_rows)
    source = schema.dataset.source
    return csv_file.cut(path, source, csv_file.read_header(path, source), part_rows)


def _wanted(path: str, header: tuple[str, ...], schema: Schema) -> tuple[str, ...]:
    """The names that are read, in the order of the dataset file; the others are ignored."""
    name = PurePosixPath(path).name
    wanted = tuple(known for known in schema.names if known in header)
    for repeated in (known for known in wanted if header.count(known) > 1):
        raise BatchError(f"{name}: column {repeated!r} appears {header.count(repeated)} times; keep one")
    missing = [one.name for one in schema.dataset.features if one.name not in header and not schema.optional(one)]
    if missing:
        listed = ", ".join(f"{one!r}{likeness(one, header)}" for one in missing)
        noun = "column" if len(missing) == 1 else "columns"
        has = ", ".join(header) or "none"
        problem = f"{name}: {noun} {listed} missing; the table has {has}"
        hint = ""
        if len(header) == 1:
            hint = f"; is it separated by {schema.dataset.source.separator!r}, as the dataset file of the model says?"
        raise BatchError(problem + hint)
    return wanted
