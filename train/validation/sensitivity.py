"""What an error in one column does to decisions: a number that is somewhat off, a category that is another one.

Owns the errors. A number is off by a tenth of its standard deviation, a whole number by one at least, up and down, and
stays in the range that is allowed. A category is mistaken for each other one, as often as that occurs. A value that may
be missing is lost. No error is drawn at random: all of them are made, and the shares are exact for these applicants.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.feature import Feature
from models.deciding import Thresholds
from models.schema import MISSING_TEXT
from train.evaluation.numbers import format_number
from train.evaluation.substitution import Applicants
from train.validation.results import Sensitivity

ERROR = 0.1  # of the standard deviation of a number
MISTAKEN = "another category"


def sensitivity(
    feature: Feature, column: NDArray[Any], applicants: Applicants, threshold: Thresholds
) -> Sensitivity | None:
    """What errors in one column do; None where a column has no second value to be mistaken for.

    Args:
        feature: the column.
        column: its values in the training rows, `[rows]`, text or float, missing as None or NaN.
        applicants: in whose values the errors are made.
        threshold: from which an applicant is declined, one or `[applicants]`; an error does not move it.
    """
    before = applicants.scored()
    if feature.type == "categorical":
        changed = _mistaken(column, applicants, feature.name)
        error = MISTAKEN
    else:
        size = _size(feature, column)
        changed = _off(feature, size, applicants)
        error = f"± {format_number(size)}"
        error = f"{error} {feature.unit}" if feature.unit else error
    if changed is None:
        return None
    after, weight = changed  # [applicants, errors] each; weights of an applicant add up to one
    moved = np.abs(after - before[:, None])
    declined = before >= threshold
    flipped = (after >= np.reshape(threshold, (-1, 1))) != declined[:, None]
    lost = None
    if feature.nullable:
        nothing = applicants.road(feature.name)
        without = nothing(np.array([MISSING_TEXT if feature.type == "categorical" else np.nan], dtype=object))[:, 0]
        lost = float(((without >= threshold) != declined).mean())
    return Sensitivity(
        feature=feature.name,
        error=error,
        flips=float((flipped * weight).sum(axis=1).mean()),
        mean=float((moved * weight).sum(axis=1).mean()),
        largest=float(moved[weight > 0].max()),
        lost=lost,
    )


Changed = tuple[NDArray[np.float64], NDArray[np.float64]]


def _size(feature: Feature, column: NDArray[np.float64]) -> float:
    """How far a number is off; 0 where no value is known."""
    known = column[~np.isnan(column)]
    size = ERROR * float(known.std()) if len(known) else 0.0
    return max(1.0, round(size)) if feature.type == "integer" and len(known) else size


def _off(feature: Feature, size: float, applicants: Applicants) -> Changed | None:
    if not size:
        return None
    own = applicants.feed[feature.name]
    sides = [np.clip(own + side * size, feature.lowest, feature.highest).astype(own.dtype) for side in (-1, 1)]
    after = np.stack([applicants.scored({feature.name: side}) for side in sides], axis=1)
    return after, np.full_like(after, 0.5)


def _mistaken(column: NDArray[Any], applicants: Applicants, name: str) -> Changed | None:
    texts, counts = np.unique([text for text in column.tolist() if text is not None], return_counts=True)
    if len(texts) < 2:
        return None
    after = applicants.having({name: texts.astype(object)})
    weight = np.where(applicants.feed[name] == texts[None, :], 0.0, counts[None, :].astype(np.float64))
    return after, weight / weight.sum(axis=1, keepdims=True)
