"""Reads a CSV file, plain or compressed by gzip, in the dialect and encoding of its dataset file.

Owns quotes, separators, encodings and their faults. Leaves numbers and missing values to others: every cell is text.
"""

import codecs
import csv
import gzip
import re
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, cast

from configs.dataset import Source
from train.errors import Faults, TableError
from train.tables.parquet_file import positions_of

MAX_FIELD = 1 << 20  # characters per cell; a longer one is an unclosed quote
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
GZIP, ZIP, PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
_LINE_END = re.compile(r"\r\n|\r|\n")


def read_csv_file(
    path: Path, source: Source, wanted: list[str] | None, faults: Faults, chunk_rows: int, where: str
) -> Iterator[tuple[dict[str, list[str]], list[int], int]]:
    """Columns, the line of each row, and the number of columns without a name, chunk by chunk; first no rows.

    Args:
        path: the file.
        source: how it is written.
        wanted: names of columns; None for all that have a name.
        faults: collects rows whose length differs from the header's; an unreadable file raises instead.
        chunk_rows: rows per chunk.
        where: the file, for faults, if there are several.
    """
    csv.field_size_limit(MAX_FIELD)
    try:
        with open_text(path, source.encoding) as file:
            reader = csv.reader(file, strict=True, delimiter=source.separator)
            header = header_of(reader)
            positions = _positions(path, header, wanted, source.separator)
            yield {name: [] for name in positions}, [], header.count("")
            numbered = ((reader.line_num, cells) for cells in reader)
            complete = _complete_rows(numbered, len(header), faults, where, source.separator)
            while rows := list(islice(complete, chunk_rows)):
                columns = {name: [cells[position] for _, cells in rows] for name, position in positions.items()}
                yield columns, [line for line, _ in rows], header.count("")
    except UnicodeError:
        raise TableError(path, [_encoding_fault(path, source.encoding)]) from None
    except csv.Error as error:
        opened = f"line {_opening_line(path, source)}: a quoted cell that starts here does not end properly"
        raise TableError(path, [f"{opened} ({error}); fix the quotes there"]) from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise TableError(path, [f"is not a complete gzip file ({error}); transfer it again"]) from None


def open_text(path: Path, encoding: str = "utf-8") -> IO[str]:
    """The text of a file, decompressed; a byte order mark is no part of it."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith((ZIP, PARQUET)):
        kind, remedy = ("a Parquet file", "name it .parquet") if head == PARQUET else ("a ZIP archive", "unpack it")
        raise TableError(path, [f"is {kind}, not text; {remedy}"])
    name = codecs.lookup(encoding).name
    return TextIOWrapper(_open_bytes(path, head), "utf-8-sig" if name == "utf-8" else name, newline="")


def _open_bytes(path: Path, head: bytes) -> IO[bytes]:
    """The content of a file that starts with `head`, decompressed."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if head.startswith(GZIP) else path.open("rb")


def header_of(reader: Iterator[list[str]]) -> list[str]:
    """The names of the columns; before them Excel may have written its own line about the separator, `sep=;`."""
    header = next(reader, [])
    return next(reader, []) if header and header[0].startswith("sep=") and len(header) <= 2 else header


def separators_of(line: str) -> list[str]:
    """The separators that a header line may be written with, the one that gives most columns first.

    >>> separators_of("income;term;grade"), separators_of("one column")
    ([';'], [])
    """
    counts = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in SEPARATORS}
    return sorted((mark for mark in counts if counts[mark] > 1), key=lambda mark: -counts[mark])


def _positions(path: Path, header: list[str], wanted: list[str] | None, separator: str) -> dict[str, int]:
    """The position of each wanted column. Excel leaves columns without a name behind the last: nobody wants those."""
    if not header:
        raise TableError(path, ["is empty; it needs a header line and rows"])
    others = [mark for mark in separators_of(header[0]) if mark != separator] if len(header) == 1 else []
    if others:
        mark = {"\t": '"\\t"'}.get(others[0], f'"{others[0]}"')
        problem = f"the header is one cell, {header[0][:60]!r}, which looks separated by {SEPARATORS[others[0]]}"
        decimal = ', and decimal: "," if its numbers have decimal commas' if others[0] == ";" else ""
        raise TableError(path, [f"{problem}; set separator: {mark} under source in the dataset file{decimal}"])
    if wanted is None:
        single = header.count("") == 1  # one is shown to whoever describes the table; several have no position
        wanted = [name for name in header if name or single]
    return positions_of(path, header, wanted)


def _complete_rows(
    numbered: Iterator[tuple[int, list[str]]], width: int, faults: Faults, where: str, separator: str
) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that has `width` cells; any other is a fault, unless its line is empty."""
    for line, cells in numbered:
        if len(cells) == width:
            yield line, cells
        elif cells:
            hint = ""
            if len(cells) > width and not any(cells[width:]):
                hint = f"; the last are empty: delete the {SEPARATORS.get(separator, 'separators')} at the line's end"
            elif width == 1:
                hint = "; is the first line a title? delete what is above the names of the columns"
            elif len(cells) > width:
                hint = f"; a cell that holds {separator!r} needs quotes around it"
            faults.add(f"{where}line {line}: {len(cells)} cells where the header has {width}{hint}")


def _opening_line(path: Path, source: Source) -> int:
    """The line on which the invalid cell starts; an unclosed quote continues over further lines."""
    with open_text(path, source.encoding) as file:
        reader, good = csv.reader(file, strict=True, delimiter=source.separator), 0
        try:
            for _ in reader:
                good = reader.line_num
        except csv.Error:
            bad = reader.line_num
    with open_text(path, source.encoding) as file:
        row = "".join(islice(file, good, bad))
    mark = re.escape(source.separator)
    one = re.compile(rf'"[^"]*(?:""[^"]*)*"(?=[{mark}\r\n])|(?!")[^{mark}\r\n]*')
    start = 0
    while (cell := one.match(row, start)) and row[cell.end() : cell.end() + 1] == source.separator:
        start = cell.end() + 1
    return good + 1 + len(_LINE_END.findall(row, 0, start))


def _encoding_fault(path: Path, encoding: str) -> str:
    """Where the file is not in its encoding, and what to do."""
    name = "UTF-8" if codecs.lookup(encoding).name == "utf-8" else encoding
    remedy = "save the table as UTF-8, or name its encoding under source in the dataset file, such as encoding: cp1252"
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and "16" not in name:
        return f"line 1 is not {name} but looks like UTF-16; set encoding: utf-16 under source in the dataset file"
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):  # whose lines do not end with one byte
        return f"is not {name}; {remedy}"
    with _open_bytes(path, head) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return f"line {number} is not {name}; {remedy}"
    return f"is not {name}; {remedy}"
