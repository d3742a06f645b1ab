"""The reference of explanations: synthetic applicants whose mean log-odds are those of the base rate.

Owns the file `background.json` of an artifact, log-odds, and the weights that match the base rate. Leaves making the
applicants to `train.publishing.background`, and explanations to `models.explanation`.
"""

import math
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

SMALLEST = 2.0**-24  # half the float32 step below 1: how far a probability that rounds to 0 or 1 can be from it
MAX_SLOPE = 64.0  # of the weights' logarithm in the log-odds
BISECTIONS = 200  # enough for the bounds of the slope to become adjacent doubles


class Background(Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        base_rate: share of the event among the training rows; that of the population where the dataset file states it.
        applicants: values of the model's inputs by name, null where missing; each value is drawn independently from its
            column, so no applicant is a real record.
        higher_from: for each number whose reason has a direction, the smallest value that counts as high: half of the
            training rows or more are below it, values equal to it counted half.
    """

    base_rate: Annotated[float, Meta(gt=0, lt=1)]
    applicants: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1)]
    higher_from: dict[str, float] = {}

    @classmethod
    def decode(cls, content: bytes) -> "Background":
        """Parse the file's content; raises `msgspec.DecodeError`."""
        return msgspec.json.decode(content, type=cls)

    def encode(self) -> bytes:
        """The file's content."""
        return msgspec.json.format(msgspec.json.encode(self))


def log_odds(probability: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Natural logarithm of the odds, finite even for 0 and 1; same shape.

    >>> log_odds(np.array([0.5, 0.75, 1.0], dtype=np.float32)).round(4).tolist()
    [0.0, 1.0986, 16.6355]
    """
    clipped = np.clip(probability.astype(np.float64), SMALLEST, 1 - SMALLEST)
    odds: NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return odds


def probability_of(odds: float) -> float:
    """The probability of log-odds.

    >>> probability_of(0.0)
    0.5
    """
    return 1 / (1 + math.exp(-odds))


def weights(odds: NDArray[np.float64], base_rate: float) -> NDArray[np.float64]:
    """Weights `[applicants]`, sum 1, under which the mean of `odds` `[applicants]` is the log-odds of `base_rate`.

    Of all such weights these are the closest to uniform in relative entropy: exponential in the log-odds
    (Csiszar, 1975, "I-divergence geometry"). If the base rate is outside the applicants' range, all weigh the same.

    >>> found = weights(np.array([-2.0, -1.0, 1.0]), 0.5)
    >>> bool(abs(found @ np.array([-2.0, -1.0, 1.0])) < 1e-12), found.round(3).tolist()
    (True, [0.165, 0.252, 0.583])
    """
    target = math.log(base_rate / (1 - base_rate))
    if not odds.min() < target < odds.max():
        return np.full(len(odds), 1 / len(odds))
    low, high = -MAX_SLOPE, MAX_SLOPE
    for _ in range(BISECTIONS):
        slope = (low + high) / 2
        if _exponential_weights(odds, slope) @ odds < target:
            low = slope
        else:
            high = slope
    return _exponential_weights(odds, (low + high) / 2)


def _exponential_weights(odds: NDArray[np.float64], slope: float) -> NDArray[np.float64]:
    raised = np.exp(slope * odds - (slope * odds).max())
    shares: NDArray[np.float64] = raised / raised.sum()
    return shares
