"""Summarises one column of a table: values, range, empty cells, and its relation to the outcome.

Owns counting. Leaves the choice of a feature to `train.drafting.proposal`. Columns are processed one by one, each
distinct value once, and only a short vocabulary is kept: beside the table, memory holds the counts of one column.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from train.check import NUMBER

MAX_CATEGORIES = 100  # distinct texts; more is free text, or needs grouping first
MAX_LENGTH = 200  # characters of one category; more is free text
MIN_ROWS_PER_CLASS = 5  # with and without the event; with fewer, chance alone can separate them (10 rows: 1 in 126)
MIN_ROWS_PER_VALUE = 5  # a column with fewer rows per value determines the outcome as any identifier does

_CODE = re.compile(r"\s*[+-]?0\d+\s*")  # 007: a number would lose its zeros
_WHOLE = re.compile(r"\s*[+-]?\d+\s*")
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    r"\d{4}[-/]\d{1,2}([-/]\d{1,2}([T ]\d.*)?)?"  # 2024-01-31, 2024-01, with or without a time
    r"|\d{1,2}(?P<mark>[-/.])\d{1,2}(?P=mark)(\d{2}|\d{4})( \d.*)?"  # 31.01.2024, 1/31/24
    rf"|(\d{{1,2}}[-. ]+)?{_MONTH}[-., ]+(\d{{1,2}}, *)?\d{{2,4}}"  # 31 Jan 2024, January 31, 2024, Jan-2024
    r"|(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])",  # 20240131
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Survey:
    """One column.

    Attributes:
        rows: rows of the table.
        empty: rows without a value.
        distinct: distinct values without the empty one; numbers count by value, so `1` and `1.0` are one.
        most_common_rows: rows with the most common value, which may be the empty one.
        kind: numeric if every value is a number, and there are at least two.
        vocabulary: the values as text in ascending order; empty if they are too many or too long.
        lowest: of a numeric column, including infinite values.
        highest: likewise.
        whole: every number is whole.
        spelled_whole: every number is whole and has neither a decimal point nor an exponent.
        non_numeric: the most common texts of a column that otherwise holds numbers.
        leak: how the column gives the outcome away in every row, or empty.
    """

    name: str
    rows: int
    empty: int
    distinct: int
    most_common_rows: int
    kind: str  # numeric | code | date | text
    vocabulary: tuple[str, ...]
    lowest: float
    highest: float
    whole: bool
    spelled_whole: bool
    non_numeric: tuple[str, ...]
    leak: str


def survey(name: str, cells: Sequence[Any], happened: Sequence[bool]) -> Survey:
    """Summarise a column as read by `train.tables.reader`; `happened` is whether the event happened in each row."""
    counts = Counter(cells)
    events = Counter(compress(cells, happened))
    most_common_rows = max(counts.values(), default=0)
    leak = _find_leak(counts, events, len(cells), sum(events.values()))
    empty = counts.pop("", 0)
    numbers = {cell: float(cell) for cell in counts if not isinstance(cell, str) or NUMBER.fullmatch(cell)}
    numeric = len(numbers) == len(counts)
    values = set(numbers.values())
    kind = "text"
    if counts and all(_DATE.fullmatch(str(cell).strip()) for cell in counts):
        kind = "date"
    elif numeric and any(isinstance(cell, str) and _CODE.fullmatch(cell) for cell in counts):
        kind = "code"
    elif numeric and len(values) > 1:
        kind = "numeric"
        leak = leak or _find_split(numbers, counts, events)
    listed = len(counts) <= MAX_CATEGORIES and all(len(str(cell)) <= MAX_LENGTH for cell in counts)
    ordered = sorted(counts, key=numbers.__getitem__) if numeric else sorted(counts, key=_alphabetical)
    texts = [cell for cell, _ in counts.most_common() if cell not in numbers] if values else []
    return Survey(
        name=name,
        rows=len(cells),
        empty=empty,
        distinct=len(values) if numeric else len(counts),
        most_common_rows=most_common_rows,
        kind=kind,
        vocabulary=tuple(str(cell) for cell in ordered) if listed else (),
        lowest=min(values, default=0.0),
        highest=max(values, default=0.0),
        whole=numeric and all(value.is_integer() for value in values),
        spelled_whole=numeric and all(_WHOLE.fullmatch(str(cell)) for cell in counts),
        non_numeric=tuple(texts[:3]) if sum(counts[cell] for cell in texts) < sum(counts.values()) / 2 else (),
        leak=leak,
    )


def _alphabetical(text: str) -> tuple[str, str]:
    return text.casefold(), text


def _find_leak(counts: Counter[Any], events: Counter[Any], rows: int, happened: int) -> str:
    """How the values, or their absence, determine the outcome in every row."""
    if min(happened, rows - happened) < MIN_ROWS_PER_CLASS:
        return ""
    if 0 < counts[""] < rows and events[""] in (0, counts[""]) and happened - events[""] in (0, rows - counts[""]):
        return "is empty exactly where the event " + ("happened" if events[""] else "did not happen")
    if len(counts) * MIN_ROWS_PER_VALUE <= rows and all(events[cell] in (0, times) for cell, times in counts.items()):
        return "has values that each occur with one outcome only"
    return ""


def _find_split(numbers: dict[Any, float], counts: Counter[Any], events: Counter[Any]) -> str:
    """How a single threshold separates the outcomes, or empty."""
    happened = [value for cell, value in numbers.items() if events[cell]]
    other = [value for cell, value in numbers.items() if events[cell] < counts[cell]]
    times = sum(events[cell] for cell in numbers)
    if min(times, sum(counts.values()) - times) < MIN_ROWS_PER_CLASS:
        return ""
    if min(happened) > max(other):
        return f"is above {max(other):g} exactly where the event happened"
    if max(happened) < min(other):
        return f"is below {min(other):g} exactly where the event happened"
    return ""
