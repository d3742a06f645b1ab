"""Numbers as text: with a decimal point or comma, and with or without separators of thousands.

Owns the form of a number in a file, and what a text that spells one otherwise is called. Leaves which form a file has
to its dataset file (`source.decimal`, `source.thousands`).
"""

import re
from dataclasses import dataclass
from functools import cached_property

from configs.dataset import Source


@dataclass(frozen=True)
class NumberFormat:
    r"""How a file spells numbers; without `thousands` there are no separators.

    >>> NumberFormat().parse("-1.5e3"), NumberFormat(",", ".").parse("1.234,5"), NumberFormat().parse("1,234")
    (-1500.0, 1234.5, None)
    >>> NumberFormat().parse(" 3\x1f")
    3.0
    """

    decimal: str = "."
    thousands: str = ""

    @classmethod
    def of(cls, source: Source) -> "NumberFormat":
        """The format of a dataset file."""
        return cls(source.decimal, source.thousands)

    def parse(self, text: str) -> float | None:
        """The number that a text spells, spaces around it aside; None if it spells none."""
        text = text.strip()  # more than `float` takes for a space: the separators of ASCII too
        if not self._pattern.fullmatch(text):
            return None
        if self.thousands:
            text = text.replace(self.thousands, "")
        return float(text.replace(self.decimal, ".") if self.decimal != "." else text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        point = re.escape(self.decimal)
        whole = r"\d+"
        if self.thousands:
            mark = re.escape(self.thousands)
            whole = rf"([1-9]\d{{0,2}}({mark}\d{{2,3}})*{mark}\d{{3}}|\d+)"
        return re.compile(rf"[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?")


CURRENCY = re.compile(
    r"\s*[-+(]?\s*(?P<before>[$€£¥₹])?\s*(?P<number>[-+]?[\d.,' \u00a0\u202f]*\d)\s*(?P<after>[$€£¥₹])?\)?\s*"
)
NEGATIVE = re.compile(r"\s*(\([$€£¥₹]?\s*[\d.,]*\d\)|[\d.,]*\d-)\s*")  # (1,234.50) of accountants, 1234- of SAP
PERCENT = re.compile(r"\s*[-+]?[\d.,]*\d\s*%\s*")
UNIT = re.compile(r"\s*[-+]?\d[\d.,]*\s*(?P<unit>[^\W\d_]+)\.?\s*")
GROUPED = {
    ",": re.compile(r"\s*[+-]?\d{1,3}(,\d{2,3})*,\d{3}(\.\d*)?\s*"),
    ".": re.compile(r"\s*[+-]?\d{1,3}(\.\d{3})+(,\d*)?\s*"),
    "'": re.compile(r"\s*[+-]?\d{1,3}('\d{3})+([.,]\d*)?\s*"),
    "\u2019": re.compile(r"\s*[+-]?\d{1,3}(\u2019\d{3})+([.,]\d*)?\s*"),
    " ": re.compile(r"\s*[+-]?\d{1,3}( \d{3})+([.,]\d*)?\s*"),
    "\u00a0": re.compile(r"\s*[+-]?\d{1,3}(\u00a0\d{3})+([.,]\d*)?\s*"),
    "\u202f": re.compile(r"\s*[+-]?\d{1,3}(\u202f\d{3})+([.,]\d*)?\s*"),
}
DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?\s*")


def spelled_number(text: str) -> str:
    """What a text is that spells a number in a way of its own, with the remedy; empty for any other.

    >>> spelled_number("13.56%"), spelled_number("rent")
    ('a percentage: write the number without %, and say so in unit', '')
    """
    if PERCENT.fullmatch(text):
        return "a percentage: write the number without %, and say so in unit"
    if NEGATIVE.fullmatch(text):
        return "a negative number as accountants write it: write it with a minus before it"
    amount = CURRENCY.fullmatch(text)
    if amount and (sign := amount["before"] or amount["after"]):
        return f"an amount with {sign}: write the number without it, and say so in unit"
    mark = next((mark for mark, pattern in GROUPED.items() if pattern.fullmatch(text)), "")
    comma = DECIMAL_COMMA.fullmatch(text)
    if mark == "," and comma:
        both = "a number with a decimal comma, or one with separators of thousands"
        return f'{both}: set decimal: "," or thousands: "," under source'
    if comma:
        return 'a number with a decimal comma: set decimal: "," under source'
    if mark:
        decimal = ' and decimal: ","' if mark != "," and "," in text else ""
        return f'a number with separators of thousands: set thousands: "{mark}"{decimal} under source'
    unit = UNIT.fullmatch(text)
    if unit and not NumberFormat().parse(text):
        return f"a number with the unit {unit['unit']!r}: write the number alone, and set unit"
    return ""
