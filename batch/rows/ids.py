"""Ids of rows that come without one: the same whenever and wherever a row is scored within a run.

Owns these. They are UUIDs of version 7 (RFC 9562, section 5.7), as the service makes them: the time is that of the
run's start, and the random bits are the run's own Philox stream (Salmon et al., 2011, "Parallel random numbers: as easy
as 1, 2, 3") at the place that the number of the row says.
"""

import numpy as np
import pyarrow as pa

_HEX = np.array([f"{value:02x}".encode() for value in range(256)]).view(np.uint16)
OCTETS = 10  # of the random part: 20 hexadecimal digits, of which one is left over


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
    octets = np.ascontiguousarray(drawn.astype("<u8", copy=False)).view(np.uint8)[:, :OCTETS]
    octets[:, 1] = octets[:, 1] & 0xF3 | 0x08  # its second digit is the variant: 8, 9, a or b
    digits = _HEX[octets].view(np.uint8)  # [count, 20]
    time = f"{started_ms:012x}"
    text = np.empty((count, 36), dtype=np.uint8)
    text[:] = np.frombuffer(f"{time[:8]}-{time[8:]}-7xxx-xxxx-xxxxxxxxxxxx".encode(), dtype=np.uint8)
    text[:, 15:18], text[:, 19:23], text[:, 24:] = digits[:, :3], digits[:, 3:7], digits[:, 7:19]
    offsets = np.arange(count + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
