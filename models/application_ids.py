"""Application ids: what may be one, and ids for applicants that come without one."""

import os
import re
import time
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct

from models.schema import MAX_ID_LENGTH

STOCK = 256  # random parts made at once: a system call for each would double the cost of an id
DIGITS = 19  # hexadecimal digits of randomness per id: 18 as they are, and one for the variant
_VARIANT = {digit: "89ab"[value & 3] for value, digit in enumerate("0123456789abcdef")}  # its first two bits are 10

SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: JSON can spell it, UTF-8 cannot


def is_identifier(value: Any) -> bool:
    """Whether `value` can be an `application_id`."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and not SURROGATE.search(value)


class ApplicationIds:
    """Makes UUIDs of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits.

    A forked child needs its own instance, or it makes the same ids; workers are not forked.

    >>> first, second = ApplicationIds().take(2, at_ms=1_700_000_000_000)
    >>> first[:15], len(first), first[19] in "89ab", first != second
    ('018bcfe5-6800-7', 36, True, True)
    """

    def __init__(self) -> None:
        self._stock: list[str] = []  # random parts, ready to use
        self._at_ms = -1
        self._begin = ""  # the first part of every id of that millisecond

    def take(self, count: int, at_ms: int | None = None) -> list[str]:
        """`count` ids of the time `at_ms`, by default now."""
        begin = self._beginning(time.time_ns() // 1_000_000 if at_ms is None else at_ms)
        return [begin + self._random() for _ in range(count)]

    def complete(self, rows: Sequence[Struct]) -> None:
        """Set an id on each row that has none."""
        begin = ""
        for row in rows:
            given = row.application_id  # type: ignore[attr-defined]  # the row type is made at run time
            if given is UNSET or given is None:
                begin = begin or self._beginning(time.time_ns() // 1_000_000)
                made = begin + (self._stock.pop() if self._stock else self._random())
                row.application_id = made  # type: ignore[attr-defined]  # as above

    def _beginning(self, at_ms: int) -> str:
        if at_ms != self._at_ms:
            digits = f"{at_ms:012x}"
            self._at_ms, self._begin = at_ms, f"{digits[:8]}-{digits[8:]}-7"
        return self._begin

    def _random(self) -> str:
        if not self._stock:
            pool = os.urandom((STOCK * DIGITS + 1) // 2).hex()
            self._stock = [
                f"{pool[at : at + 3]}-{_VARIANT[pool[at + 3]]}{pool[at + 4 : at + 7]}-{pool[at + 7 : at + 19]}"
                for at in range(0, STOCK * DIGITS, DIGITS)
            ]
        return self._stock.pop()
