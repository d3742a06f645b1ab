"""Application ids for applicants that come without one."""

import os
import time
from collections.abc import Sequence

from msgspec import UNSET, Struct

POOL_BYTES = 8192  # of randomness fetched at once: a call of the system for each id costs as much as the id
DIGITS = 19  # of randomness for one id, in hexadecimal: 18 as they are, and one that becomes the variant's
_VARIANT = {digit: "89ab"[value & 3] for value, digit in enumerate("0123456789abcdef")}  # its first two bits are 10


class Identifiers:
    """Makes up UUIDs of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits.

    A forked child must have one of its own, or it makes up the same ids; workers are not forked.

    >>> first, second = Identifiers().take(2, at_ms=1_700_000_000_000)
    >>> first[:15], len(first), first[19] in "89ab", first != second
    ('018bcfe5-6800-7', 36, True, True)
    """

    def __init__(self) -> None:
        self._pool = ""
        self._used = 0

    def take(self, count: int, at_ms: int | None = None) -> list[str]:
        """So many ids of the time `at_ms`, now if there is none."""
        time_digits = f"{time.time_ns() // 1_000_000 if at_ms is None else at_ms:012x}"
        begin = f"{time_digits[:8]}-{time_digits[8:]}-7"
        pool, first, end = self._pool, self._used, self._used + count * DIGITS
        if end > len(pool):
            pool = self._pool = os.urandom(max(POOL_BYTES, (count * DIGITS + 1) // 2)).hex()
            first, end = 0, count * DIGITS
        self._used = end
        return [
            f"{begin}{pool[at : at + 3]}-{_VARIANT[pool[at + 3]]}{pool[at + 4 : at + 7]}-{pool[at + 7 : at + 19]}"
            for at in range(first, end, DIGITS)
        ]

    def complete(self, rows: Sequence[Struct]) -> None:
        """Give an id to each row that has none."""
        nameless = [row for row in rows if row.application_id is UNSET or row.application_id is None]  # type: ignore[attr-defined]
        if nameless:
            for row, identifier in zip(nameless, self.take(len(nameless)), strict=True):
                row.application_id = identifier  # type: ignore[attr-defined]
