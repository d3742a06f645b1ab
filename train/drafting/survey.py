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

from configs.dates import day_of
from train.tables.missing import code_among
from train.tables.numbers import UNIT, NumberFormat, spelled_number
from train.tables.parquet_file import text_of

MAX_CATEGORIES = 100  # distinct texts; more is free text, or needs grouping first
MAX_LENGTH = 200  # characters of one category; more is free text
MAX_LOOKED_AT = 1000  # distinct texts of which it is asked whether they spell numbers
MIN_ROWS_PER_CLASS = 5  # with and without the event; with fewer, chance alone can separate them (10 rows: 1 in 126)
MIN_ROWS_PER_VALUE = 5  # a column with fewer rows per value determines the outcome as any identifier does

_CODE = re.compile(r"\s*[+-]?0\d+\s*")  # 007: a number would lose its zeros
_SHORTENED = re.compile(r"\s*\d\.\d+E\+\d{2}\s*")  # 4.10E+11: what Excel makes of a long number
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    r"\d{4}[-/]\d{1,2}([-/]\d{1,2}([T ]\d.*)?)?"  # 2024-01-31, 2024-01, with or without a time
    r"|\d{4}\.\d{1,2}\.\d{1,2}|\d{4}-?Q[1-4]|\d{1,2}/\d{4}"  # 2024.01.31, 2024Q1, 01/2024
    r"|\d{1,2}(?P<mark>[-/.])\d{1,2}(?P=mark)(\d{2}|\d{4})( \d.*)?"  # 31.01.2024, 1/31/24
    rf"|(\d{{1,2}}[-. ]+)?{_MONTH}[-., ]+(\d{{1,2}}, *)?\d{{2,4}}"  # 31 Jan 2024, January 31, 2024, Jan-2024
    r"|(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])",  # 20240131
    re.IGNORECASE,
)
DEFAULT = NumberFormat()


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
        spelled: an example and what it is, where every text spells a number in a way of its own.
        code: a number that stands apart like a code for a missing value, and its rows.
        shortened: numbers with an exponent, as Excel writes long identifiers.
        days: the first and the last day of a column of dates, as their numbers from 1970-01-01.
        times: how many different days it has; 0 where not every text is a date that `source.time` takes.
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
    spelled: str
    code: tuple[float, int] | None
    shortened: bool
    days: tuple[int, int]
    times: int


def survey(name: str, cells: Sequence[Any], happened: Sequence[bool], form: NumberFormat = DEFAULT) -> Survey:
    """Summarise a column as read by `train.tables.reader`.

    Args:
        name: of the column.
        cells: its values.
        happened: whether the event happened in each row.
        form: of the numbers in texts.
    """
    counts = Counter(cells)
    events = Counter(compress(cells, happened))
    most_common_rows = max(counts.values(), default=0)
    leak = _find_leak(counts, events, len(cells), sum(events.values()))
    empty = counts.pop("", 0)
    numbers = {cell: number for cell in counts if (number := _number(cell, form)) is not None}
    numeric = len(numbers) == len(counts)
    values = set(numbers.values())
    kind = "text"
    if counts and all(_DATE.fullmatch(text_of(cell).strip()) for cell in counts):
        kind = "date"
    elif numeric and any(isinstance(cell, str) and _CODE.fullmatch(cell) for cell in counts):
        kind = "code"
    elif numeric and len(values) > 1:
        kind = "numeric"
        leak = leak or _find_split(numbers, counts, events)
    listed = len(counts) <= MAX_CATEGORIES and all(len(text_of(cell)) <= MAX_LENGTH for cell in counts)
    ordered = sorted(counts, key=numbers.__getitem__) if numeric else sorted(counts, key=_alphabetical)
    texts = [cell for cell, _ in counts.most_common() if cell not in numbers] if values else []
    days, times = span([text_of(cell) for cell in counts]) if kind == "date" else ((0, 0), 0)
    return Survey(
        name=name,
        rows=len(cells),
        empty=empty,
        distinct=len(values) if numeric else len(counts),
        most_common_rows=most_common_rows,
        kind=kind,
        vocabulary=tuple(text_of(cell) for cell in ordered) if listed else (),
        lowest=min(values, default=0.0),
        highest=max(values, default=0.0),
        whole=numeric and all(value.is_integer() for value in values),
        spelled_whole=numeric and all(_is_spelled_whole(text_of(cell), form) for cell in counts),
        non_numeric=tuple(texts[:3]) if sum(counts[cell] for cell in texts) < sum(counts.values()) / 2 else (),
        leak=leak,
        spelled=_spelled(counts, numbers),
        code=_code(numbers, counts) if kind == "numeric" else None,
        shortened=kind == "numeric" and all(isinstance(cell, str) and _SHORTENED.fullmatch(cell) for cell in counts),
        days=days,
        times=times,
    )


def span(texts: Sequence[str]) -> tuple[tuple[int, int], int]:
    """The first and the last day of texts, and how many different ones; (0, 0) and 0 where one of them is no date.

    >>> span(["1970-01-03", "1970-01-02"]), span(["1/2/2024"])
    (((1, 2), 2), ((0, 0), 0))
    """
    found = [day_of(text) for text in texts]
    known = {day for day in found if day is not None}
    return ((min(known), max(known)), len(known)) if known and None not in found else ((0, 0), 0)


def _number(cell: Any, form: NumberFormat) -> float | None:
    return form.parse(cell) if isinstance(cell, str) else float(cell)


def _is_spelled_whole(text: str, form: NumberFormat) -> bool:
    """Whether a number has neither a decimal mark nor an exponent."""
    return form.decimal not in text and "e" not in text.lower()


def _spelled(counts: Counter[Any], numbers: dict[Any, float]) -> str:
    """An example of texts that all spell numbers in a way of their own, and what it is; empty if there are others."""
    texts = [cell for cell, _ in counts.most_common() if cell not in numbers]
    hints = [spelled_number(text) for text in texts[:MAX_LOOKED_AT]]
    if not hints or not all(hints):
        return ""
    units = {found["unit"].casefold().removesuffix("s") for text in texts if (found := UNIT.fullmatch(text))}
    return f"{texts[0]!r} is {hints[0]}" if len(units) <= 1 else ""


def _code(numbers: dict[Any, float], counts: Counter[Any]) -> tuple[float, int] | None:
    code = code_among(numbers.values())
    if code is None:
        return None
    return code, sum(counts[cell] for cell, value in numbers.items() if value == code)


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
