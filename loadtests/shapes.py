"""The shapes of load: how many users there are at each moment. Pure functions of time.

Leaves the search for the capacity, whose next step depends on the answers, to `loadtests.capacity`.
"""

import math
from collections.abc import Callable

SPIKE_FROM, SPIKE_UNTIL, SPIKE_BASE = 0.4, 0.7, 0.2  # of the run time; of the users
RAMP_SHARE = 0.8  # of the run time, after which the users stay
SOAK_SHARE = 0.5  # of the users, so that a long run shows wear and not saturation

Shape = Callable[[float, float, int], int]


def steady(at_s: float, run_s: float, users: int) -> int:
    """All users from the beginning."""
    del at_s, run_s
    return users


def ramp(at_s: float, run_s: float, users: int) -> int:
    """One user more at a time, for four fifths of the run; then all of them.

    >>> [ramp(at_s, 100, 40) for at_s in (0, 20, 40, 80, 100)]
    [1, 10, 20, 40, 40]
    """
    return max(1, min(users, math.floor(users * at_s / (RAMP_SHARE * run_s))))


def spike(at_s: float, run_s: float, users: int) -> int:
    """A fifth of the users, suddenly all of them, then a fifth again.

    >>> [spike(at_s, 100, 40) for at_s in (0, 39, 40, 69, 70)]
    [8, 8, 40, 40, 8]
    """
    inside = SPIKE_FROM * run_s <= at_s < SPIKE_UNTIL * run_s
    return users if inside else max(1, math.floor(SPIKE_BASE * users))


def soak(at_s: float, run_s: float, users: int) -> int:
    """Half of the users, for as long as the run takes: what grows shows."""
    del at_s, run_s
    return max(1, math.floor(SOAK_SHARE * users))


BREAKPOINT = "breakpoint"
SHAPES: dict[str, Shape] = {"steady": steady, "ramp": ramp, "spike": spike, "soak": soak}
NAMES = (*SHAPES, BREAKPOINT)
