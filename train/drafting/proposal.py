"""What to make of a surveyed column: a feature for the dataset file, or the reason to leave it out.

Owns every rule of thumb, each with its limit. A proposal is never the last word: its notes say what to look at.
"""

import re
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from configs.dataset import ANSWERED, FLOAT32_MAX, LARGEST, RESERVED, Feature
from train.drafting.column_names import identifies, protected, resembles
from train.drafting.survey import MAX_CATEGORIES, MAX_LENGTH, Survey

NEARLY_CONSTANT = 0.995  # share of the rows with one value; the rest is too few to learn from
NEARLY_UNIQUE = 0.9  # share of the filled cells that differ
LEAST_UNIQUE = 10  # different texts; fewer may all differ by chance
EXPECTED_TWINS = 5  # equal pairs that chance would give; to see none has a probability of exp(-5), under 1%
FEW = 10  # different values: whole numbers without a gap are likely codes or a count, numbers with words codes
GAP_WORDS = {"", "-", ".", "?", "missing", "n/a", "na", "nan", "null", "unknown"}


@dataclass(frozen=True)
class Proposal:
    """A feature, and what a person should know of it.

    Attributes:
        feature: as the dataset file will hold it.
        notes: key of the feature to the remark that stands beside it.
    """

    feature: Feature
    notes: dict[str, str] = field(default_factory=dict)


def propose(column: Survey, target: str) -> Proposal | str:
    """A feature, or why the column is left out."""
    return _left_out(column, target) or _feature(column)


def _left_out(column: Survey, target: str) -> str:
    name, filled = column.name, column.rows - column.empty
    if not name:
        return "has no name; give it one in the header to take it in"
    if re.search(r'["\\\x00-\x1f]', name):  # the decoder of requests has no fields of such names
        return "a quotation mark, a backslash or a control character in its name; rename the column to take it in"
    if name in (RESERVED, *ANSWERED):
        return "a name that the service uses; rename the column to take it in"
    if column.betrays:
        return f"LOOKS LIKE A LEAK: it {column.betrays}; known before the decision, or only after?"
    if resembles(name, target):
        return "its name resembles the target's; take it in only if it is known before the decision"
    if not filled:
        return "empty in every row"
    if column.distinct == 1 and not column.empty:
        return "the same value in every row"
    if column.commonest > NEARLY_CONSTANT * column.rows and not protected(name):  # few rows can still be audited
        return f"the same value in {column.commonest:,} of {column.rows:,} rows; the others are too few to learn from"
    if column.kind == "date":
        return "dates; put a duration in their place (months since then) to take it in"
    return _identifier(column, filled) or _unusable(column)


def _identifier(column: Survey, filled: int) -> str:
    """Why the column looks like an identifier, or nothing."""
    seen = "every value differs" if column.distinct == filled else f"{column.distinct:,} values in {filled:,} rows"
    unique = column.distinct >= NEARLY_UNIQUE * filled
    if unique and identifies(column.name) and (column.kind != "numeric" or column.whole):
        return f"an identifier by its name, and {seen}"
    if column.kind != "numeric":
        return f"{seen}: an identifier, a name or free text" if unique and column.distinct >= LEAST_UNIQUE else ""
    possible = column.highest - column.lowest + 1
    if column.whole and column.distinct == filled and filled * (filled - 1) / 2 / possible > EXPECTED_TWINS:
        return f"whole numbers of which no two are alike: an identifier or a counter ({filled:,} rows)"
    return ""


def _unusable(column: Survey) -> str:
    """Why no feature can be made of the values, or nothing."""
    if column.kind == "numeric":
        reach = max(abs(column.lowest), abs(column.highest))
        return "" if reach <= FLOAT32_MAX else f"holds numbers beyond {FLOAT32_MAX:.1e}, which the model cannot take"
    if column.strays and column.distinct > FEW:
        named = ", ".join(repr(text[:40]) for text in column.strays)
        return f"numbers but for {named}; empty those cells to take it in as a number"
    if column.vocabulary:
        return ""
    if column.distinct > MAX_CATEGORIES:
        what = "codes" if column.kind == "code" else "texts"
        return f"{column.distinct:,} different {what}, over {MAX_CATEGORIES}; group them to take it in"
    return f"texts of over {MAX_LENGTH} characters; no vocabulary can be made of them"


def _feature(column: Survey) -> Proposal:
    notes: dict[str, str] = {}
    sounds = protected(column.name)
    if sounds:
        notes["protected"] = f'review: for "{sounds}" in its name; delete the line if it is not protected'
    if column.empty:
        notes["nullable"] = f"{column.empty:,} of {column.rows:,} cells are empty"
    common: dict[str, Any] = {"name": column.name, "protected": bool(sounds), "nullable": bool(column.empty)}
    codes = column.spelled_whole and column.distinct <= 2 and len(column.vocabulary) <= 2
    if column.kind != "numeric" or codes:
        if column.kind == "code":
            notes["type"] = "codes: a number would lose the zeros in front"
        elif codes:
            notes["type"] = "two numbers, taken as codes: applicants send text" if column.distinct == 2 else ""
        gaps = [text for text in column.vocabulary if text.strip().casefold() in GAP_WORDS]
        if gaps:
            listed = ", ".join(repr(text) for text in gaps)
            notes["categories"] = f"does {listed} mean missing? then empty those cells, and say nullable: true"
        return Proposal(Feature(type="categorical", categories=column.vocabulary, **common), notes)
    return _number(column, common, notes)


def _number(column: Survey, common: dict[str, Any], notes: dict[str, str]) -> Proposal:
    integer = column.whole and max(abs(column.lowest), abs(column.highest)) <= LARGEST
    notes["maximum"] = f"data {_spelled(column.lowest)} to {_spelled(column.highest)}"
    low, high = column.lowest, column.highest
    if integer and column.distinct <= FEW and high - low < column.distinct:
        notes["maximum"] += "; not widened: if it is a count, leave room"
        notes["type"] = f"{column.distinct} values in a row: if they are codes without an order, say categorical"
    else:
        low, high = widened(low, high)
        limit = LARGEST if integer else FLOAT32_MAX
        low, high = max(low, -limit), min(high, limit)
        if integer and not column.spelled_whole:
            notes["type"] = "spelled with a point, but all whole; say number if fractions may come"
        elif integer and column.distinct == column.rows - column.empty >= LEAST_UNIQUE:
            notes["type"] = "every value differs; leave it out if it is an identifier"
    return Proposal(Feature(type="integer" if integer else "number", minimum=low, maximum=high, **common), notes)


def widened(low: float, high: float) -> tuple[float, float]:
    """A range with room of half its span at each side, in round numbers, that keeps to one side of zero.

    >>> widened(250, 18424), widened(-3.5, 12.25), widened(1990, 2021), widened(0.02, 0.97)
    ((0.0, 30000.0), (-20.0, 30.0), (1970.0, 2040.0), (0.0, 1.0))
    """
    least, most = Decimal(low), Decimal(high)
    span = most - least
    step = Decimal(1).scaleb(span.adjusted())
    below = float(((least - span / 2) / step).to_integral_value(ROUND_FLOOR) * step)
    above = float(((most + span / 2) / step).to_integral_value(ROUND_CEILING) * step)
    if low >= 0:
        below = max(below, 0.0)
    if high <= 0:
        above = min(above, 0.0)
    if low >= 0 and 0.5 < high <= 1:
        above = 1.0  # a share
    return min(below, low), max(above, high)


def _spelled(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() and abs(value) < LARGEST else f"{value:.6g}"
