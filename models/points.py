"""Points: the score that a probability has on the scale of the dataset file.

Owns the formula, that of scorecards (Siddiqi, 2006, "Credit Risk Scorecards"): points are linear in the log-odds, and
`double` more of them double the odds against the event. A score is a whole number; so are the points of each feature,
rounded so that they still add up to it. Leaves log-odds to `models.background`.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.policy import ScoreScale
from models.background import log_odds


class Points:
    """One scale.

    Args:
        scale: of the dataset file.

    Attributes:
        factor: points per unit of the log-odds against the event.
        offset: points at even odds.
    """

    def __init__(self, scale: ScoreScale) -> None:
        self.factor = scale.double / math.log(2)
        self.offset = scale.points - self.factor * math.log(scale.odds)

    def scores(self, probabilities: Sequence[float] | NDArray[np.floating]) -> list[int]:
        """The score of each probability, in order; that of a probability which is no number is that of a certain event.

        >>> from configs.policy import ScoreScale
        >>> Points(ScoreScale(points=600, odds=50, double=20)).scores([1 / 51, 1 / 101, 0.5, 1.0, math.nan])
        [600, 620, 487, 7, 7]
        """
        known = np.asarray(probabilities, dtype=np.float64)
        exact = self.exact(log_odds(np.where(np.isnan(known), 1.0, known)))
        found: list[int] = np.rint(exact).astype(np.int64).tolist()
        return found

    def exact(self, odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points before they are rounded, of log-odds of the event, same shape."""
        return self.offset - self.factor * odds

    def shares(self, base_log_odds: float, contributions: Sequence[float], score: int) -> tuple[int, list[int]]:
        """The points that everyone starts with, and those that each contribution adds; together they are the score.

        Each is the exact number of points rounded up or down, those with the largest remainders up (Hamilton's method),
        so that none is off by a whole point.

        Args:
            base_log_odds: of the event, from which the contributions start.
            contributions: to the log-odds of the event.
            score: of the probability.

        >>> from configs.policy import ScoreScale
        >>> points = Points(ScoreScale(points=600, odds=50, double=20))
        >>> points.shares(0.0, [-0.05, -0.06, 0.03], points.scores([1 / (1 + math.exp(0.08))])[0])
        (487, [1, 2, -1])
        """
        exact = np.array([self.offset - self.factor * base_log_odds, *(-self.factor * np.array(contributions))])
        down = np.floor(exact).astype(np.int64)
        down[np.argsort(down - exact, kind="stable")[: score - int(down.sum())]] += 1
        start, *each = down.tolist()
        return start, each
