"""From a surveyed column to a feature of the dataset file, or to the reason for leaving it out.

Owns the heuristics and their limits. A proposal is not final: its notes say what to review.
"""

import re
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from configs.dataset import ANSWERED, RESERVED
from configs.feature import FLOAT32_MAX, LARGEST, Feature
from models.spelling import difference, groups
from train.drafting.column_names import identifies, protected, resembles
from train.drafting.survey import MAX_CATEGORIES, MAX_LENGTH, Survey
from train.tables.missing import means_nothing

NEARLY_CONSTANT = 0.995  # share of rows with the same value; the rest are too few to learn from
NEARLY_UNIQUE = 0.9  # distinct values as a share of the filled cells
MIN_UNIQUE = 10  # distinct texts; fewer may all differ by chance
EXPECTED_TWINS = 5  # equal pairs expected by chance; seeing none then has a probability of exp(-5), under 1%
FEW = 10  # distinct values: consecutive integers are probably codes or counts, numbers mixed with words codes


@dataclass(frozen=True)
class Proposal:
    """A feature, and notes for its review.

    Attributes:
        feature: as in the dataset file.
        notes: comment by key of the feature.
    """

    feature: Feature
    notes: dict[str, str] = field(default_factory=dict)


def propose(column: Survey, target: str) -> Proposal | str:
    """A feature, or the reason why the column is left out."""
    return _left_out(column, target) or _feature(column)


def _left_out(column: Survey, target: str) -> str:
    name, filled = column.name, column.rows - column.empty
    if not name:
        return "has no name; name it in the header to include it"
    if re.search(r'["\\\x00-\x1f]', name):  # the request decoder does not support such names
        return "a quotation mark, a backslash or a control character in its name; rename the column to include it"
    if name in (RESERVED, *ANSWERED):
        return "its name is reserved by the service; rename the column to include it"
    if column.leak:
        return f"LOOKS LIKE A LEAK: it {column.leak}; known before the decision, or only after?"
    if resembles(name, target):
        return "its name resembles the target's; include it only if it is known before the decision"
    if not filled:
        return "empty in every row"
    if column.distinct == 1 and not column.empty:
        return "the same value in every row"
    if column.most_common_rows > NEARLY_CONSTANT * column.rows and not protected(
        name
    ):  # a protected column is kept for the audit
        return f"the same value in {column.most_common_rows:,} of {column.rows:,} rows; the others are too few"
    if column.kind == "date":
        return "dates; replace them by a duration (months since then) to include it, or name them as time under source"
    spelled = column.spelled if column.distinct > FEW else ""
    return spelled or _identifier(column, filled) or _unusable(column)


def _identifier(column: Survey, filled: int) -> str:
    """Why the column looks like an identifier, or empty."""
    seen = "every value differs" if column.distinct == filled else f"{column.distinct:,} values in {filled:,} rows"
    unique = column.distinct >= NEARLY_UNIQUE * filled
    if unique and identifies(column.name) and (column.kind != "numeric" or column.whole):
        return f"an identifier by its name, and {seen}"
    if column.kind != "numeric":
        return f"{seen}: an identifier, a name or free text" if unique and column.distinct >= MIN_UNIQUE else ""
    possible = column.highest - column.lowest + 1
    if column.whole and column.distinct == filled and filled * (filled - 1) / 2 / possible > EXPECTED_TWINS:
        return f"whole numbers, all distinct: an identifier or a counter ({filled:,} rows)"
    return ""


def _unusable(column: Survey) -> str:
    """Why the values cannot become a feature, or empty."""
    if column.kind == "numeric":
        reach = max(abs(column.lowest), abs(column.highest))
        return "" if reach <= FLOAT32_MAX else f"has numbers beyond {FLOAT32_MAX:.1e}, which the model does not accept"
    if column.non_numeric and column.distinct > FEW:
        named = ", ".join(repr(text[:40]) for text in column.non_numeric)
        return f"numbers except {named}; empty those cells, or list them in null_values, to include it as a number"
    if column.vocabulary:
        return ""
    if column.distinct > MAX_CATEGORIES:
        what = "codes" if column.kind == "code" else "texts"
        return f"{column.distinct:,} different {what}, over {MAX_CATEGORIES}; group them to include it"
    return f"texts of over {MAX_LENGTH} characters; too long for a vocabulary"


def _feature(column: Survey) -> Proposal:
    notes: dict[str, str] = {}
    hint = protected(column.name)
    if hint:
        notes["protected"] = f'review: because of "{hint}" in its name; delete the line if it is not protected'
    if column.empty:
        notes["nullable"] = f"{column.empty:,} of {column.rows:,} cells are empty"
    common: dict[str, Any] = {"name": column.name, "protected": bool(hint), "nullable": bool(column.empty)}
    codes = column.spelled_whole and column.distinct <= 2 and len(column.vocabulary) <= 2
    if column.kind != "numeric" or codes:
        if column.kind == "code":
            notes["type"] = "codes: a number would lose the leading zeros"
        elif codes:
            notes["type"] = "two numbers, treated as codes: applicants send text" if column.distinct == 2 else ""
        notes |= _vocabulary_notes(column)
        return Proposal(Feature(type="categorical", categories=column.vocabulary, **common), notes)
    return _number(column, common, notes)


def _vocabulary_notes(column: Survey) -> dict[str, str]:
    """What to review in a vocabulary: words for nothing, look-alikes, numbers with something behind them."""
    found = []
    missing = [text for text in column.vocabulary if means_nothing(text)]
    if missing:
        listed = ", ".join(repr(text) for text in missing)
        found.append(f"does {listed} mean missing? then list it in null_values under source, and set nullable: true")
    for group in groups(column.vocabulary):
        others = ", ".join(f"{other!r} in {difference(other, group[0])}" for other in group[1:])
        found.append(f"{len(group)} spellings of one value? from {group[0]!r} differ {others}")
    if column.spelled:
        found.append(column.spelled)
    return {"categories": "; ".join(found)} if found else {}


def _number(column: Survey, common: dict[str, Any], notes: dict[str, str]) -> Proposal:
    integer = column.whole and max(abs(column.lowest), abs(column.highest)) <= LARGEST
    notes["maximum"] = f"data {_shown(column.lowest)} to {_shown(column.highest)}"
    if column.code:
        code, rows = column.code
        notes["minimum"] = f"does {code:g}, in {rows:,} rows, mean missing? then list it in null_values under source"
    if column.shortened:
        notes["type"] = "long numbers cut short, as Excel shows them: an identifier? its digits are lost"
    low, high = column.lowest, column.highest
    if integer and column.distinct <= FEW and high - low < column.distinct:
        notes["maximum"] += "; not widened: leave room if it is a count"
        notes["type"] = f"{column.distinct} consecutive values: if they are unordered codes, set categorical"
    else:
        low, high = widened(low, high)
        limit = LARGEST if integer else FLOAT32_MAX
        low, high = max(low, -limit), min(high, limit)
        if integer and not column.spelled_whole and not column.shortened:
            notes["type"] = "written with a decimal point, but all whole; set number if fractions may occur"
        elif integer and column.distinct == column.rows - column.empty >= MIN_UNIQUE:
            notes["type"] = "every value differs; remove it if it is an identifier"
    return Proposal(Feature(type="integer" if integer else "number", minimum=low, maximum=high, **common), notes)


def widened(low: float, high: float) -> tuple[float, float]:
    """A range extended by half its span on each side, in round numbers, without crossing zero.

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


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() and abs(value) < LARGEST else f"{value:.6g}"
