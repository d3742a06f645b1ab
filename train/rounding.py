"""What training keeps of its numbers: no digit that another processor would write differently.

PyTorch, MKL and NumPy choose their kernels by instruction set, and sums in another order differ by some 1e-16 of a
value. Training amplifies that, up to the deviations in docs/decisions/0013-the-same-bytes-on-every-processor.md, which
are far below the steps here. So all processors round to the same number, but where one lies on the edge between two.
"""

import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

STEP = 2.0**-14  # of weights and of the intercept
BITS = 16  # that the slope of the calibration keeps, which is small where the logits are large
DIGITS = 6  # that a figure keeps
SMALLEST_STEP = 9  # decimals that a figure keeps at most: a difference of equals is zero, not 1e-17


def mean_and_deviation(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Both from exactly rounded sums: NumPy adds in an order that is its build's and its processor's own.

    >>> mean_and_deviation(np.array([1e16, 2.0, -1e16, 2.0]))[0]
    1.0
    """
    doubles = values.astype(np.float64)
    mean = math.fsum(doubles) / len(doubles)
    return mean, math.sqrt(math.fsum((doubles - mean) ** 2) / len(doubles))


def to_step(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest multiples of `STEP`, same shape.

    >>> (to_step(np.array([0.3, 1.0])) / STEP).tolist()
    [4915.0, 16384.0]
    """
    steps: NDArray[np.float64] = np.round(values / STEP) * STEP
    return steps + 0.0  # no zero with a sign


def to_bits(value: float) -> float:
    """`value` with `BITS` significant bits.

    >>> to_bits(0.1) * 2**19, to_bits(3.0)
    (52429.0, 3.0)
    """
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 2**BITS), exponent - BITS)


def to_digits(value: float) -> float:
    """A number as it is written to a file.

    >>> to_digits(0.12345678), to_digits(1234567.8), to_digits(-1e-17)
    (0.123457, 1234570.0, 0.0)
    """
    return round(float(f"{value:.{DIGITS}g}"), SMALLEST_STEP) + 0.0


def all_to_digits(value: Any) -> Any:
    """What msgspec knows, as dictionaries, lists and plain values, with every float in it as `to_digits` has it.

    >>> all_to_digits({"rows": 3, "mean": [0.1 + 0.2, None]})
    {'rows': 3, 'mean': [0.3, None]}
    """
    return _rounded(msgspec.to_builtins(value))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return to_digits(value) if isinstance(value, float) else value
