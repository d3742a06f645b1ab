"""A figure with its interval."""

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike


class Estimate(Struct, frozen=True):
    """A value with its interval."""

    value: float
    low: float
    high: float


def percentile_estimate(value: float, resampled: ArrayLike, confidence: float) -> Estimate:
    """A value with the percentile interval of its `[resamples]`, widened where it lies outside.

    Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.

    >>> percentile_estimate(5.0, range(11), 0.5)
    Estimate(value=5.0, low=2.5, high=7.5)
    """
    low, high = np.quantile(np.asarray(resampled, dtype=np.float64), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, min(value, float(low)), max(value, float(high)))
