"""How the commands of `python -m monitoring` read times and put what they found into words."""

import argparse
from datetime import UTC, datetime


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def moment(text: str) -> datetime:
    """A time of ISO 8601, in UTC unless it says otherwise.

    >>> moment("2026-11-01").isoformat(), moment("2026-11-01T02:00+02:00").astimezone(UTC).isoformat()
    ('2026-11-01T00:00:00+00:00', '2026-11-01T00:00:00+00:00')
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 2026-11-01 or 2026-11-01T12:30Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
