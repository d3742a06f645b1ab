"""When a scenario begins, and how far it has come in each window.

Owns: the names of the scenarios and their course over time. Leaves to others: what they do (scenarios).
"""

import math
from typing import Literal

Name = Literal["none", "recession", "fraud_ring", "schema_bug", "seasonal"]
NAMES: tuple[Name, ...] = ("none", "recession", "fraud_ring", "schema_bug", "seasonal")


def begins(windows: int) -> int:
    """The number of the first window, from 0, in which anything happens."""
    return windows // 2


def stage(name: Name, window: int, windows: int) -> float:
    """How far a scenario has come in a window, 0 to 1.

    A recession comes over an eighth of the windows, a season comes and goes, and what a release or a ring does is there
    at once.

    >>> [stage("recession", window, 16) for window in (7, 8, 9, 15)]
    [0.0, 0.5, 1.0, 1.0]
    >>> [round(stage("seasonal", window, 16), 2) for window in (7, 8, 11, 15)]
    [0.0, 0.2, 0.98, 0.2]
    >>> stage("schema_bug", 8, 16), stage("none", 15, 16)
    (1.0, 0.0)
    """
    done = window - begins(windows) + 1
    if name == "none" or done <= 0:
        return 0.0
    if name == "recession":
        return min(1.0, done / max(1, windows // 8))
    if name == "seasonal":
        return math.sin(math.pi * (done - 0.5) / (windows - begins(windows)))
    return 1.0
