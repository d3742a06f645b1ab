"""Dates as people write them in tables, and the day that each is: the one reading of `source.time`.

Owns which spellings are dates. One that may mean two days, such as 03/04/2024, is none: nobody is guessed for.
"""

import re
from datetime import date, timedelta

FORMS = "2024-01-31, 2024-01-31T10:00, 20240131, 31.01.2024, 2024-01, 202401, 2024Q1, Jan-2024 or 2024"
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_YEAR = "(?P<year>(19|20|21)[0-9]{2})"
_PATTERNS = [
    re.compile(
        rf"{_YEAR}(?P<mark>[-/.])(?P<month>[0-9]{{1,2}})((?P=mark)(?P<day>[0-9]{{1,2}})([T ][0-9]{{1,2}}:.*)?)?"
    ),
    re.compile(rf"{_YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>[0-3][0-9])?"),
    re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>(19|20|21)[0-9]{2})"),
    re.compile(rf"{_YEAR}[- ]?Q(?P<quarter>[1-4])", re.IGNORECASE),
    re.compile(rf"((?P<day>[0-9]{{1,2}})[-. ]+)?(?P<name>[a-z]{{3,9}})\.?[-, ]+{_YEAR}", re.IGNORECASE),
    re.compile(_YEAR),
]


def day_of(text: str) -> int | None:
    """The day as its number from 1970-01-01, that of its first day for a month, a quarter or a year; None for no date.

    >>> day_of("1970-01-02"), day_of("1970-02"), day_of("1970Q2"), day_of("Feb-1970"), day_of("3/4/2024")
    (1, 31, 90, 31, None)
    """
    for pattern in _PATTERNS:
        if found := pattern.fullmatch(text.strip()):
            part = found.groupdict()
            month = int(part.get("month") or 1)
            if quarter := part.get("quarter"):
                month = 3 * int(quarter) - 2
            if name := part.get("name"):
                month = next((n for n, full in enumerate(MONTHS, 1) if full.startswith(name.lower())), 0)
            try:
                return (date(int(part["year"]), month, int(part.get("day") or 1)) - date(1970, 1, 1)).days
            except ValueError:
                return None
    return None


def iso(day: int) -> str:
    """A day by its number as people write it.

    >>> iso(0)
    '1970-01-01'
    """
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
