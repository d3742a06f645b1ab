"""A figure with its interval."""

from msgspec import Struct


class Estimate(Struct, frozen=True):
    """A value with its interval."""

    value: float
    low: float
    high: float
