"""Traffic for pictures: a calm, a peak and a calm again, with a few faults in it and outcomes behind it.

Owns the shape. Sends at most some hundred small requests a second, in one thread, and ends by itself.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

PAUSE_S = 0.05  # between requests while it is calm
PEAK = 6  # times as many at the top
ROWS = (1, 1, 2, 4, 16)  # of requests
FAULTS = 0.03  # share of requests without a field


def send(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """POST a body; the answer, or nothing where it was refused."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            found: Any = json.load(response)
    except urllib.error.HTTPError:
        return []
    return found if isinstance(found, list) else []


def pause_s(share: float) -> float:
    """The pause at a share of the whole time, shortest in the middle.

    >>> [round(pause_s(share), 4) for share in (0, 0.5, 1)]
    [0.05, 0.0083, 0.05]
    """
    return PAUSE_S / (1 + (PEAK - 1) * float(np.sin(np.pi * share)) ** 2)


def traffic(
    url: str, applicants: list[dict[str, Any]], seconds: float, seed: int, every_s: float, look: Callable[[], object]
) -> int:
    """Send it to the service at `url`, calling `look` each `every_s` seconds; the number of rows that were scored."""
    draw, begin, scored = np.random.default_rng(seed), time.monotonic(), 0
    looked = begin - every_s
    while (passed := time.monotonic() - begin) < seconds:
        if time.monotonic() - looked >= every_s:
            look()
            looked = time.monotonic()
        some = [dict(applicants[place]) for place in draw.integers(len(applicants), size=draw.choice(ROWS))]
        if draw.random() < FAULTS:
            some = [{}]
        predictions = send(f"{url}/predict", {"applicants": some})
        scored += len(predictions)
        if predictions:
            now = datetime.now(UTC).isoformat()
            outcomes = [
                {
                    "application_id": one["application_id"],
                    "event": bool(draw.random() < one["probability"]),
                    "observed_at": now,
                }
                for one in predictions
            ]
            send(f"{url}/feedback", {"outcomes": outcomes})
        time.sleep(pause_s(passed / seconds))
    return scored
