"""Numbers as people write them, in gates, cards and on the console."""

from typing import Literal

import numpy as np

Unit = Literal["", "bytes", "times"]
BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
DIGITS = 3


def format_number(value: float, unit: Unit = "") -> str:
    """Three significant digits and the unit, without an exponent.

    >>> format_number(388_812, "bytes"), format_number(5e7, "bytes"), format_number(1.94, "times"), format_number(1e-6)
    ('389 kB', '50 MB', '1.94 times', '0.000001')
    """
    scale, name = next(((s, n) for s, n in BYTES if unit == "bytes" and abs(value) >= s), (1.0, unit))
    digits = np.format_float_positional(value / scale, precision=DIGITS, fractional=False, trim="-")
    return f"{digits} {name}".strip()
