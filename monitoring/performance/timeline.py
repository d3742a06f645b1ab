"""The performance over time: the decisions of each hour, day or week, whichever gives a readable number of points.

Owns the windows, and how times are written. Leaves the figures to sample.
"""

from datetime import UTC, datetime

import numpy as np

from monitoring.performance.measures import Doubles
from monitoring.performance.results import Window
from monitoring.performance.sample import Sample, estimated, realised

MOST_POINTS = 60
SPANS_S = (3600, 6 * 3600, 86_400, 7 * 86_400, 28 * 86_400, 91 * 86_400, 365 * 86_400)


def timeline(sample: Sample, time_s: Doubles, least: int, confidence: float) -> list[Window]:
    """The windows with rows, the oldest first; aligned to the Unix epoch, in UTC."""
    span_s = next((s for s in SPANS_S if (time_s.max() - time_s.min()) / s < MOST_POINTS), SPANS_S[-1])
    place = (time_s // span_s).astype(np.int64)
    found = []
    for one in np.unique(place):
        own = sample.rows(place == one)
        known = int(own.known.sum())
        begin, end = written(float(one) * span_s), written(float(one + 1) * span_s)
        by_outcome, by_probability = realised(own, least, confidence), estimated(own, least, confidence)
        found.append(Window(begin, end, len(own), known, by_outcome, by_probability))
    return found


def written(time_s: float) -> str:
    """A time as it is written.

    >>> written(1_764_072_000)
    '2025-11-25T12:00:00Z'
    """
    return f"{datetime.fromtimestamp(float(time_s), UTC):%Y-%m-%dT%H:%M:%SZ}"
