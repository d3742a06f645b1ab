"""Application ids for applicants that come without one."""

import os
import time


def uuid7(now_ms: int | None = None) -> str:
    """A UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits.

    >>> uuid7(1_700_000_000_000)[:15]
    '018bcfe5-6800-7'
    """
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    tail = int.from_bytes(os.urandom(10), "big")
    bits = (milliseconds << 80) | (tail & ~(0xF << 76) & ~(0x3 << 62)) | (0x7 << 76) | (0x2 << 62)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
