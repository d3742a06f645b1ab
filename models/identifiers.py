"""Application ids for applicants that come without one."""

import os
import time

POOL_BYTES = 8192  # of randomness fetched at once: a call of the system for each id costs as much as the id
_VARIANT = {digit: "89ab"[value & 3] for value, digit in enumerate("0123456789abcdef")}  # its first two bits are 10


class Identifiers:
    """Makes up UUIDs of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits.

    A forked child must have one of its own, or it makes up the same ids; workers are not forked.

    >>> first, second = Identifiers().new(1_700_000_000_000), Identifiers().new(1_700_000_000_000)
    >>> first[:15], len(first), first[19] in "89ab", first != second
    ('018bcfe5-6800-7', 36, True, True)
    """

    def __init__(self) -> None:
        self._pool = ""
        self._used = 0
        self._at_ms = -1
        self._begin = ""  # what ids of that millisecond begin with

    def new(self, now_ms: int | None = None) -> str:
        """One id; `now_ms` is the time to put into it, now if there is none."""
        at_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        if at_ms != self._at_ms:
            digits = f"{at_ms:012x}"
            self._at_ms, self._begin = at_ms, f"{digits[:8]}-{digits[8:]}-7"
        if self._used + 20 > len(self._pool):
            self._pool, self._used = os.urandom(POOL_BYTES).hex(), 0
        random = self._pool[self._used : self._used + 20]
        self._used += 20
        return f"{self._begin}{random[:3]}-{_VARIANT[random[3]]}{random[4:7]}-{random[7:19]}"
