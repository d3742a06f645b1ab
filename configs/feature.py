"""One feature of a dataset file: a column of the table, and a field of an applicant.

Owns its keys and what is inconsistent in them. Leaves the file as a whole to `configs.dataset`.
"""

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

LARGEST = 2.0**53  # whole numbers up to here are exact in the doubles of JSON and of the decision log
FLOAT32_MAX = 3.4028234663852886e38  # beyond it the graph's float32 input would be infinite

Name = Annotated[str, Meta(min_length=1)]


class DirectedReason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a declined applicant is told of a number: by whether it is high or low among the training rows."""

    higher: Name  # of a value above the median
    lower: Name  # of a value below it
    missing: str = ""  # of no value; by default the description or the name


class Feature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column of the table, and one field of an applicant."""

    name: Name
    type: Literal["categorical", "integer", "number"]
    description: str = ""
    reason: str | DirectedReason = ""  # its name in the reasons for a decline, in words that an applicant understands
    unit: str = ""
    categories: tuple[str, ...] = ()  # the vocabulary, in the order of the documentation
    minimum: float | None = None  # inclusive
    maximum: float | None = None  # inclusive
    protected: bool = False  # recorded and audited, never an input of the model
    nullable: bool = False  # may be null or absent; the graph imputes it
    monotone: Literal["increasing", "decreasing"] | None = None  # in the probability of the event, all else equal

    def reason_text(self, *, higher: bool | None = None) -> str:
        """Its name in a reason for a decline: `reason`, or else the description or the name.

        Args:
            higher: whether the value is high among the training rows; None where there is no value to say it of.
        """
        text = self.reason
        if isinstance(text, DirectedReason):
            text = text.missing if higher is None else text.higher if higher else text.lower
        return text or self.description or self.name

    @property
    def direction(self) -> int:
        """1 where the probability of the event may never fall with the value, -1 where it may never rise, else 0."""
        return {"increasing": 1, "decreasing": -1, None: 0}[self.monotone]

    @property
    def lowest(self) -> float:
        """The smallest value allowed; without a minimum, that of the number type."""
        default = -LARGEST if self.type == "integer" else -FLOAT32_MAX
        return default if self.minimum is None else self.minimum

    @property
    def highest(self) -> float:
        """The largest value allowed; without a maximum, that of the number type."""
        default = LARGEST if self.type == "integer" else FLOAT32_MAX
        return default if self.maximum is None else self.maximum


def feature_faults(feature: Feature) -> list[tuple[str, str, str]]:
    """What is inconsistent in a well-typed feature: key, problem, remedy."""
    faults = []
    if feature.protected and feature.reason:
        faults.append(("reason", "a protected feature is never a reason", "remove the reason, or protected: true"))
    if feature.protected and feature.monotone:
        faults.append(("monotone", "a protected feature is no input of the model", "remove it, or protected: true"))
    if feature.type == "categorical":
        if isinstance(feature.reason, DirectedReason):
            faults.append(("reason", "categories are neither higher nor lower", "give one text"))
        if feature.monotone:
            remedy = "remove it, or give the column as whole numbers that are ordered, with type: integer"
            faults.append(("monotone", "categories have no order", remedy))
        if not feature.categories:
            faults.append(("categories", "the vocabulary is empty", "list the values that the column takes"))
        if len(set(feature.categories)) != len(feature.categories):
            faults.append(("categories", "a category appears twice", "list each value once"))
        if "" in feature.categories:
            faults.append(("categories", "the empty text means a missing value", "set nullable: true instead"))
        if feature.minimum is not None or feature.maximum is not None:
            faults.append(("minimum", "a categorical feature has no range", "remove minimum and maximum"))
        return faults
    return faults + _range_faults(feature)


def _range_faults(feature: Feature) -> list[tuple[str, str, str]]:
    faults = []
    if feature.categories:
        faults.append(
            (
                "categories",
                f"a feature of type {feature.type} has no categories",
                "remove them, or set type: categorical",
            )
        )
    for where, value in (("minimum", feature.minimum), ("maximum", feature.maximum)):
        if value is None:
            continue
        if not math.isfinite(value) or abs(value) > (LARGEST if feature.type == "integer" else FLOAT32_MAX):
            faults.append((where, f"{value} is out of range", "give a smaller finite number, or leave the key out"))
        elif feature.type == "integer" and value != int(value):
            faults.append((where, f"{value} is not a whole number", "round it, or set type: number"))
    if feature.lowest >= feature.highest:
        faults.append(("minimum", f"{feature.lowest} is not below the maximum {feature.highest}", "swap or widen them"))
    return faults
