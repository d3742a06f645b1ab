"""Whether outcomes still follow the probabilities: a test that may be looked at as often as anybody likes.

Owns the test. A model whose inputs drift keeps its calibration, as long as applicants who look alike behave as before;
where they do not, the concept has changed, and outcomes stop following the probabilities.

If nothing has changed, the event happens to row i with probability p_i. Against that stand alternatives: q = the
inverse logit of `a + b * logit(p)` with higher or lower odds (a) and less discrimination (b < 1), and `p (1 - 2r) + r`,
outcomes flipped at random. For each the likelihood ratio, multiplied up over the rows, is a fair bet against nothing
having changed: an e-process (Ramdas, Grünwald, Vovk and Shafer, 2023, "Game-theoretic statistics and safe anytime-valid
inference"). As nobody knows when a change begins, a bet is begun at every block of rows and all are added up, the
e-detector of Shin, Ramdas and Rinaldo (2023), "E-detectors: a nonparametric framework for sequential change detection",
after Shiryaev and Roberts. If nothing has changed, it exceeds c within n blocks with a chance of n / c at most,
whenever it is looked at. So the number of blocks per year, divided by the detector, bounds the chance of a false alarm
in a year.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.performance.measures import Doubles, calibration_line, log_odds, roc_auc

BLOCK_ROWS = 100  # between two bets that are begun: a change inside of a block is seen as one at its start
SHIFTS = (-0.8, -0.4, -0.2, 0.0, 0.2, 0.4, 0.8)  # a: odds divided and multiplied by up to 2.2
SLOPES = (0.4, 0.6, 0.8, 1.0)  # b
FLIPS = (0.03, 0.07, 0.15)  # r
FLIPPED = 0.3  # of the stakes
YEAR_S = 365.25 * 86_400
LEAST_SPAN_S = 30 * 86_400.0  # a burst of rows is not taken for what comes all the year
LEAST_BLOCKS = 25.0  # per year: a few rows are no reason to believe them sooner
LEAST_SHIFT = 0.1  # more or fewer events than predicted; less matters to nobody, however significant
LEAST_AUC_LOSS = 0.01
LEAST_SLOPE_LOSS = 0.1


@dataclass(frozen=True)
class Detection:
    """What the test says of some rows.

    Attributes:
        p_value: the chance that a year without a change shows as much, whenever it is looked at.
        first: the row with which the likeliest change begins; None where nothing speaks for one.
    """

    p_value: float
    first: int | None


@dataclass(frozen=True)
class Change:
    """How far outcomes are from the probabilities, over some rows.

    Attributes:
        observed, predicted: the share of events, and the mean of the probabilities.
        auc_loss: ROC AUC expected, less that realised; None for one class.
        slope: of the calibration line; None where outcomes do not tell it.
    """

    observed: float
    predicted: float
    auc_loss: float | None
    slope: float | None

    @property
    def matters(self) -> bool:
        """Whether it is large enough to do something about it."""
        return (
            abs(self.observed - self.predicted) > LEAST_SHIFT * self.predicted
            or (self.auc_loss or 0.0) > LEAST_AUC_LOSS
            or (1.0 if self.slope is None else self.slope) < 1 - LEAST_SLOPE_LOSS
        )


def detect(probability: Doubles, event: Doubles, time_s: Doubles) -> Detection:
    """Test rows in the order in which they were decided.

    Args:
        probability: `[rows]`, of the event.
        event: `[rows]`, 1 where it happened, 0 where not.
        time_s: `[rows]`, ascending.
    """
    gains, stakes = _gains(probability, event)  # [alternatives, blocks]
    blocks = gains.shape[1]
    worth = np.full(len(stakes), -np.inf)  # logarithm of all bets on an alternative
    for block in range(blocks):
        worth = np.logaddexp(0.0, worth) + gains[:, block]
    log_worth = float(np.logaddexp.reduce(worth + np.log(stakes)))
    span_s = max(float(time_s[-1] - time_s[0]), LEAST_SPAN_S)
    yearly = max(LEAST_BLOCKS, blocks * YEAR_S / span_s)
    suffixes = np.cumsum(gains[:, ::-1], axis=1)[:, ::-1]
    best, start = np.unravel_index(int(np.argmax(suffixes)), suffixes.shape)
    first = int(start) * BLOCK_ROWS if suffixes[best, start] > 0 else None
    return Detection(float(np.exp(min(0.0, np.log(yearly) - log_worth))), first)


def change(probability: Doubles, event: Doubles) -> Change:
    """Measure how far outcomes are from the probabilities."""
    realised = roc_auc(probability, event, 1 - event)
    expected = roc_auc(probability, probability, 1 - probability, probability * (1 - probability))
    fitted = calibration_line(probability, event)
    return Change(
        float(event.mean()),
        float(probability.mean()),
        None if realised is None or expected is None else expected - realised,
        None if fitted is None else float(fitted[0][1]),
    )


def _gains(probability: Doubles, event: Doubles) -> tuple[NDArray[np.float64], Doubles]:
    """The logarithm of what a bet on each alternative gains in each block, and the stakes on the alternatives."""
    odds = log_odds(probability)
    held = 1 / (1 + np.exp(-odds))
    lines = [(a, b) for a in SHIFTS for b in SLOPES if (a, b) != (0.0, 1.0)]
    alternatives = [1 / (1 + np.exp(-(a + b * odds))) for a, b in lines]
    alternatives += [held * (1 - 2 * r) + r for r in FLIPS]
    starts = np.arange(0, len(odds), BLOCK_ROWS)
    gains = [
        np.add.reduceat(np.where(event == 1, np.log(q / held), np.log((1 - q) / (1 - held))), starts)
        for q in alternatives
    ]
    stakes = [(1 - FLIPPED) / len(lines)] * len(lines) + [FLIPPED / len(FLIPS)] * len(FLIPS)
    return np.array(gains), np.array(stakes)
