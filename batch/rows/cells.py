"""From a cell of a table to the value that a request would have.

Owns the rules, which are those by which training reads a table (`train.tables`; a test compares them): an empty cell is
null, a category is text, the digits of a number included, and text in the column of a number is read by the dialect of
the dataset file. Works on one cell at a time; `batch.rows.columns` does the same for whole columns, and leaves to this
module what is not plain.
"""

import math
import re
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Source
from configs.feature import Feature


class Dialect:
    r"""How texts of a table spell numbers and missing values.

    >>> Dialect(Source(path="x")).number("-1.5e3"), Dialect(Source(path="x")).number("1,234")
    (-1500.0, None)
    >>> Dialect(Source(path="x", decimal=",", thousands=".")).number("1.234,5")
    1234.5
    """

    def __init__(self, source: Source) -> None:
        self.decimal, self.thousands = source.decimal, source.thousands
        self.is_plain = source.decimal == "." and not source.thousands
        self.nulls = frozenset(("", *source.null_values))
        self.null_numbers = frozenset(n for text in source.null_values if (n := self.number(text)) is not None)

    def number(self, text: str) -> float | None:
        """The number that a text spells, spaces around it aside; None if it spells none."""
        text = text.strip()
        return float(self.plain(text)) if re.fullmatch(self.pattern, text) else None

    def plain(self, text: str) -> str:
        """A text that matches `pattern`, as Python and Arrow read it."""
        return text.replace(self.thousands, "").replace(self.decimal, ".") if not self.is_plain else text

    @cached_property
    def pattern(self) -> str:
        """Of a number, for Python's `re` and for RE2."""
        point, whole = re.escape(self.decimal), r"\d+"
        if self.thousands:
            mark = re.escape(self.thousands)
            whole = rf"([1-9]\d{{0,2}}({mark}\d{{2,3}})*{mark}\d{{3}}|\d+)"
        return rf"[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"

    def is_null(self, cell: Any) -> bool:
        """Whether a cell means a missing value; NaN, which no request has, is none here."""
        if cell is None:
            return True
        if isinstance(cell, str):
            return cell in self.nulls
        return not isinstance(cell, bytes | bool) and cell in self.null_numbers


def text_of(cell: Any) -> Any:
    """A cell as text: the digits of a number as people write them; bytes that are no text stay bytes.

    >>> text_of(True), text_of(1.0), text_of(Decimal("1E+3")), text_of(b"own")
    ('true', '1.0', '1000', 'own')
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return format(cell, "f") if isinstance(cell, Decimal) else repr(cell)


def value_of(feature: Feature, cell: Any, dialect: Dialect) -> Any:
    """A cell as the value of a request.

    NaN is how NumPy writes a missing number, and is null where the feature is nullable; elsewhere it is refused as NaN.
    """
    cell = text_of(cell) if isinstance(cell, bytes) else cell
    if dialect.is_null(cell):
        return None
    if isinstance(cell, float) and math.isnan(cell) and (feature.nullable or feature.type == "categorical"):
        return None
    if feature.type == "categorical":
        return text_of(cell)
    if isinstance(cell, str):
        number = dialect.number(cell)
        return cell if number is None else number
    return text_of(cell) if isinstance(cell, bool | bytes) else float(cell)


def id_of(cell: Any, dialect: Dialect) -> Any:
    """A cell of the column of ids as the id of a request; null where there is none."""
    cell = text_of(cell) if cell is not None else None
    return None if cell is None or cell in dialect.nulls else cell


def shown_text(cell: Any) -> str | None:
    """A refused cell, as the table has it, in the words of `models.validation`: at most so long, and valid text."""
    return None if cell is None else str(cell if isinstance(cell, bytes) else text_of(cell))


def codes_of(texts: list[Any], codes: dict[str, int], dialect: Dialect) -> NDArray[np.int64]:
    """The code of each of some cells; 0 where it is none, or missing where it must not be."""
    missing = codes.get("", 0)
    found = [
        missing if dialect.is_null(text) or text != text else codes.get(text_of(text), 0)  # only NaN is not itself
        for text in texts
    ]
    return np.array(found, dtype=np.int64)
