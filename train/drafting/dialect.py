"""How a file is written, guessed from its content: encoding, separator, decimal mark, thousands, words for nothing.

Owns the guesses. A guess becomes a line of the draft, for a person to review. Leaves reading to `train.tables`.
"""

import codecs
import csv
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import structs

from configs.dataset import Source
from train.errors import TableError
from train.tables.csv_file import SEPARATORS, header_of, open_text
from train.tables.files import files_of, is_parquet
from train.tables.missing import MARKERS
from train.tables.numbers import GROUPED, NumberFormat

ENCODINGS = ("utf-8", "cp1252", "latin-1")  # the last takes any byte
MOST_TEXTS = 10_000  # distinct texts of a column that are looked at
PLAIN, COMMA, THOUSANDS = NumberFormat(), NumberFormat(","), NumberFormat(".", ",")
FORMATS = (PLAIN, COMMA, *(NumberFormat(decimal, mark) for decimal in ".," for mark in GROUPED if mark != decimal))
HEAD_ROWS = 20  # of which most must have as many cells as the header


def sniff(path: Path, remedy: str) -> Source:
    """The path with encoding and separator of its first file; `remedy` says what to do where there is none."""
    first = files_of(path, remedy)[0]
    if is_parquet(first):
        return Source(path=str(path))
    encoding = _encoding(first)
    widths = {mark: _width(first, encoding, mark) for mark in (",", *SEPARATORS)}
    return Source(path=str(path), encoding=encoding, separator=max(widths, key=widths.__getitem__))


def sample_of(path: Path, encoding: str) -> str:
    """The first word with letters beyond ASCII, by which a person sees whether an encoding is right."""
    with open_text(files_of(path)[0], encoding) as file:
        return next((word for line in file for word in re.findall(r"\w+", line) if not word.isascii()), "")


def with_numbers_and_nulls(source: Source, columns: Mapping[str, Sequence[Any]], target: str) -> Source:
    """The source with its decimal mark, separator of thousands and words for missing values."""
    texts = {
        name: dict.fromkeys(islice(dict.fromkeys(cell for cell in cells if isinstance(cell, str) and cell), MOST_TEXTS))
        for name, cells in columns.items()
        if name != target
    }
    words = set[str]().union(*texts.values())
    source = structs.replace(source, null_values=tuple(word for word in MARKERS if word in words))
    if is_parquet(files_of(Path(source.path))[0]):  # its types say how numbers are written
        return source
    form = _numbers([column.keys() - set(MARKERS) for column in texts.values()])
    return structs.replace(source, decimal=form.decimal, thousands=form.thousands)


def _numbers(columns: list[set[str]]) -> NumberFormat:
    """The format in which most columns are numbers, the plainest of several.

    A column that may have decimal commas or separators of thousands, such as 1,234, has no say.
    """
    votes = dict.fromkeys(FORMATS, 0)
    for texts in columns:
        fitting = [form for form in FORMATS if texts and all(form.parse(text) is not None for text in texts)]
        if PLAIN in fitting or not {COMMA, THOUSANDS} <= set(fitting):
            for form in fitting:
                votes[form] += 1
    return max(votes, key=votes.__getitem__)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    for encoding in ENCODINGS:
        try:
            with open_text(path, encoding) as file:
                while file.read(1 << 20):
                    pass
        except UnicodeError:
            continue
        except (EOFError, OSError) as error:
            raise TableError(path, [f"cannot be read ({error})"]) from None
        return encoding
    return ENCODINGS[0]


def _width(path: Path, encoding: str, mark: str) -> int:
    """The cells of the header as this separator parts it; 0 where most of the rows after it have another number."""
    with open_text(path, encoding) as file:
        try:
            reader = csv.reader(file, strict=True, delimiter=mark)
            rows = [header_of(reader), *(cells for cells in islice(reader, HEAD_ROWS) if cells)]
        except (csv.Error, UnicodeError):  # told by whoever reads the whole file
            return 0
    same = sum(len(cells) == len(rows[0]) for cells in rows)
    return len(rows[0]) if same * 2 > len(rows) else 0
