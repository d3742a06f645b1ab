"""Confidence intervals of proportions, their differences and their ratios. Pure functions.

Interval, not test: a bound is broken when the whole interval lies beyond it, as at the gates between training and
store. Then few observations say "do not know", and never "wrong".
"""

import math
from statistics import NormalDist
from typing import NamedTuple


class Proportion(NamedTuple):
    """`hits` of `of`."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        """0..1; 0 of nothing."""
        return self.hits / self.of if self.of else 0.0


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def wilson(proportion: Proportion, z: float) -> Interval:
    """The score interval of Wilson (1927), which holds at 0 and 1 too.

    >>> [round(end, 4) for end in wilson(Proportion(0, 10), 1.96)]
    [0.0, 0.2775]
    """
    n = proportion.of
    if n == 0:
        return Interval(0.0, 1.0)
    p = proportion.share
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def difference(first: Proportion, second: Proportion, confidence: float) -> Interval:
    """First minus second: the hybrid score interval of Newcombe (1998, method 10).

    >>> [round(end, 4) for end in difference(Proportion(56, 70), Proportion(48, 80), 0.95)]
    [0.0524, 0.3339]
    """
    z = quantile(confidence)
    one, other = wilson(first, z), wilson(second, z)
    p, q = first.share, second.share
    return Interval(
        p - q - math.sqrt((p - one.low) ** 2 + (other.high - q) ** 2),
        p - q + math.sqrt((one.high - p) ** 2 + (q - other.low) ** 2),
    )


class LogRatio(NamedTuple):
    """The logarithm of a ratio of proportions, and its variance."""

    value: float
    variance: float

    @property
    def ratio(self) -> float:
        """The ratio itself."""
        return math.exp(self.value)

    def below(self, bound: float, confidence: float) -> bool:
        """Whether the whole interval lies below a bound, greater than 0."""
        return self.value + quantile(confidence) * math.sqrt(self.variance) < math.log(bound)

    def over(self, other: "LogRatio") -> "LogRatio":
        """This ratio over another, independent one."""
        return LogRatio(self.value - other.value, self.variance + other.variance)


def log_ratio(first: Proportion, second: Proportion) -> LogRatio:
    """First over second, by the method of Katz (1978); half an observation more in each, so that 0 has a logarithm.

    >>> found = log_ratio(Proportion(30, 100), Proportion(60, 100))
    >>> round(found.ratio, 3), found.below(0.8, 0.95), found.below(0.8, 0.999999)
    (0.504, True, False)
    """
    p, q = (first.hits + 0.5) / (first.of + 0.5), (second.hits + 0.5) / (second.of + 0.5)
    variance = 1 / (first.hits + 0.5) - 1 / (first.of + 0.5) + 1 / (second.hits + 0.5) - 1 / (second.of + 0.5)
    return LogRatio(math.log(p / q), variance)


def quantile(confidence: float) -> float:
    """Of the normal distribution, for a two-sided interval.

    >>> round(quantile(0.95), 4)
    1.96
    """
    return NormalDist().inv_cdf((1 + confidence) / 2)
