"""Decided rows, and their figures with intervals: by their outcomes, or as expected from their probabilities alone.

Owns both. Leaves to others: the formulas (measures), which rows (looking).

Before outcomes arrive, a row with the calibrated probability p has the event with chance p: every figure has an
expected value, which needs no outcome. That is confidence-based performance estimation: Kivimäki, Białek, Kuberski and
Nurminen (2025), "Performance Estimation in Binary Classification Using Calibrated Confidence", arXiv:2505.05295, as
NannyML has it. It holds while outcomes follow the probabilities, whatever the inputs do, and says nothing of a change
of concept (concept).

Intervals are by resampling rows and outcomes (Efron, 1979): cells of like rows, whose counts are drawn from a
multinomial distribution. So a million rows cost as much as a thousand, and the interval of an estimate is that of the
figure which the outcomes will give, not of its mean.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from monitoring.performance.measures import Doubles, calibration_line, ks, roc_auc, share_interval
from monitoring.performance.results import Figure, Figures

BINS = 100  # of the probability: more than that do not change an interval
DRAWS = 200  # whose deviation is then right to 5%
LEAST_OF_A_CLASS = 10  # rows with, and without the event, for a figure that compares them
APPROVED, DECLINED, REFERRED = 0, 1, 2  # codes of decisions
RANGES = {"roc_auc": (0.0, 1.0), "gini": (-1.0, 1.0), "ks": (0.0, 1.0), "event_rate": (0.0, 1.0)}


@dataclass(frozen=True)
class Sample:
    """Decided rows of one model, `[rows]` each.

    Attributes:
        probability: of the event.
        decision: codes of what was decided.
        declined: whether the threshold declines; referred rows among them, as nobody knows what the person decided.
        missed_event, false_alarm: what each mistake costs.
        event: 1 where the event happened, 0 where not, NaN where that is not known.
    """

    probability: Doubles
    decision: NDArray[np.int8]
    declined: NDArray[np.bool_]
    missed_event: Doubles
    false_alarm: Doubles
    event: Doubles

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.probability)

    def rows(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> "Sample":
        """Those at `index`."""
        return Sample(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have an outcome."""
        found: NDArray[np.bool_] = ~np.isnan(self.event)
        return found


def realised(sample: Sample, least: int, confidence: float) -> Figures:
    """The figures of the rows with an outcome; none of fewer than `least`. Approvals are counted over all rows."""
    labelled = sample.rows(sample.known)
    found = _approval(sample, confidence)
    if len(labelled) < least:
        return found
    return found | _figures(labelled, labelled.event, confidence, known=True) | _line(labelled, confidence)


def estimated(sample: Sample, least: int, confidence: float) -> Figures:
    """The figures expected of the rows, with or without an outcome; none of fewer than `least`."""
    found = _approval(sample, confidence)
    if len(sample) < least:
        return found
    figures = _figures(sample, sample.probability, confidence, known=False)
    del figures["calibration"]  # which is what the estimate supposes
    return found | figures


def _approval(sample: Sample, confidence: float) -> Figures:
    if not len(sample):
        return {}
    rate = float(np.mean(sample.decision == APPROVED))
    return {"approval_rate": Figure(rate, *share_interval(rate, len(sample), _z(confidence)))}


def _line(labelled: Sample, confidence: float) -> Figures:
    """The calibration line of rows with an outcome."""
    events = labelled.event.sum()
    if min(events, len(labelled) - events) < LEAST_OF_A_CLASS:
        return {}
    fitted = calibration_line(labelled.probability, labelled.event)
    if fitted is None:
        return {}
    z, (line, errors) = _z(confidence), fitted
    names = ("calibration_intercept", "calibration_slope")
    return {
        name: Figure(float(value), float(value - z * error), float(value + z * error))
        for name, value, error in zip(names, line, errors, strict=True)
    }


def _figures(sample: Sample, chance: Doubles, confidence: float, known: bool) -> Figures:
    """The figures of rows that have the event with these chances; 0 and 1 for outcomes, which are `known`.

    A maximum, as KS is one, is larger in a sample than in what it is drawn from, by as much as draws are larger than
    what they are drawn from: that is added to what is expected of a sample, and taken from an interval for the truth.
    """
    values = _values(sample, chance)
    drawn = _drawn(sample, chance)
    z = _z(confidence)
    found = {}
    for name, value in values.items():
        spread = drawn[name][1:]
        spread = spread[np.isfinite(spread)]
        if value is None or not len(spread):
            continue
        bias = float(spread.mean() - drawn[name][0]) if name == "ks" else 0.0
        shown = value if known else value + bias
        middle = value - bias if known else shown
        half = z * float(spread.std())
        least, most = RANGES.get(name, (0.0, np.inf))
        found[name] = Figure(shown, max(least, min(shown, middle - half)), min(most, max(shown, middle + half)))
    return found


def _values(sample: Sample, chance: Doubles) -> dict[str, float | None]:
    probability, other = sample.probability, 1 - chance
    both = min(chance.sum(), other.sum()) >= LEAST_OF_A_CLASS
    auc = roc_auc(probability, chance, other, chance * other) if both else None
    squares = chance * (1 - probability) ** 2 + other * probability**2
    costs = np.where(sample.declined, other * sample.false_alarm, chance * sample.missed_event)
    return {
        "roc_auc": auc,
        "gini": None if auc is None else 2 * auc - 1,
        "ks": ks(probability, chance, other) if both else None,
        "brier": float(squares.mean()),
        "cost": float(costs.mean()),
        "event_rate": float(chance.mean()),
        "calibration": float(chance.sum() / probability.sum()) if probability.sum() else None,
    }


def _drawn(sample: Sample, chance: Doubles) -> dict[str, Doubles]:
    """The figures of the cells themselves, and of `DRAWS` samples of them, `[1 + draws]` each."""
    ranks = np.argsort(np.argsort(sample.probability, kind="stable"), kind="stable")
    cell = (ranks * BINS // len(sample)) * 2 + sample.declined
    _, cell = np.unique(cell, return_inverse=True)
    rows = np.bincount(cell)
    parts = {
        "events": np.bincount(cell, chance),
        "probability": np.bincount(cell, sample.probability) / rows,
        "square_event": np.bincount(cell, (1 - sample.probability) ** 2) / rows,
        "square_other": np.bincount(cell, sample.probability**2) / rows,
        "missed": np.bincount(cell, np.where(sample.declined, 0, sample.missed_event)) / rows,
        "alarm": np.bincount(cell, np.where(sample.declined, sample.false_alarm, 0)) / rows,
    }
    order = np.argsort(parts["probability"], kind="stable")
    rows, parts = rows[order], {name: part[order] for name, part in parts.items()}
    chances = np.concatenate([parts["events"], rows - parts["events"]]).clip(0)
    drawn = np.random.default_rng(0).multinomial(len(sample), chances / chances.sum(), size=DRAWS)
    draws = np.concatenate([chances[None, :], drawn])
    events, others = draws[:, : len(rows)], draws[:, len(rows) :]
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.cumsum(others, axis=1) - others
        total, rest = events.sum(axis=1), others.sum(axis=1)
        auc = (events * (below + others / 2)).sum(axis=1) / (total * rest)
        steps = np.cumsum(events, axis=1) / total[:, None] - np.cumsum(others, axis=1) / rest[:, None]
        predicted = (events + others) @ parts["probability"]
        return {
            "roc_auc": auc,
            "gini": 2 * auc - 1,
            "ks": np.abs(steps).max(axis=1),
            "brier": (events @ parts["square_event"] + others @ parts["square_other"]) / len(sample),
            "cost": (events @ parts["missed"] + others @ parts["alarm"]) / len(sample),
            "event_rate": total / len(sample),
            "calibration": total / predicted,
        }


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)
