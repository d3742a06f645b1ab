"""Ids of rows that come without one: the same whenever and wherever a row is scored within a run.

Owns these. They are UUIDs of version 7 (RFC 9562, section 5.7), as the service makes them: the time is that of the
run's start, and the random bits are the run's own Philox stream (Salmon et al., 2011, "Parallel random numbers: as easy
as 1, 2, 3") at the place that the number of the row says.
"""

import numpy as np
import pyarrow as pa

_HEX = np.array([f"{value:02x}".encode() for value in range(256)])
_PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]  # of each byte among the 36 characters
_DASHES = [8, 13, 18, 23]


def ids_of(run: str, started_ms: int, first_row: int, count: int) -> pa.StringArray:
    """The ids of `count` rows from number `first_row` on.

    Args:
        run: 32 hexadecimal digits.
        started_ms: Unix time.
        first_row: its number in the table.
        count: how many.

    >>> made = ids_of("00" * 16, 1_700_000_000_000, 5, 2)
    >>> made[1] == ids_of("00" * 16, 1_700_000_000_000, 6, 1)[0], made[0].as_py()[:15]
    (True, '018bcfe5-6800-7')
    """
    stream = np.random.Philox(key=int(run, 16)).advance(first_row)
    drawn = stream.random_raw(4 * count).reshape(count, 4)[:, :2]  # each step of its counter gives four numbers
    octets = np.ascontiguousarray(drawn.astype("<u8")).view(np.uint8).reshape(count, 16)
    octets[:, :6] = np.frombuffer(started_ms.to_bytes(6, "big"), dtype=np.uint8)
    octets[:, 6] = 0x70 | octets[:, 6] & 0x0F
    octets[:, 8] = 0x80 | octets[:, 8] & 0x3F
    text = np.empty((count, 36), dtype=np.uint8)
    text[:, _DASHES] = ord("-")
    digits = _HEX.view(np.uint8).reshape(256, 2)[octets]
    places = np.array(_PLACES)
    text[:, places], text[:, places + 1] = digits[:, :, 0], digits[:, :, 1]
    offsets = np.arange(count + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
