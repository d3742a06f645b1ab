"""What follows from a probability, as the dataset file says it: costs, a band in which a person decides, and points.

Owns these keys and what is inconsistent in them. Leaves deciding and counting points to `models.deciding`.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from configs.feature import Feature, Name

Cost = Annotated[float, Meta(gt=0, le=1e9)]
Probability = Annotated[float, Meta(gt=0, lt=1)]
MOST_POINTS = 1e6  # in absolute value, and of the points that double the odds: every score fits into INT32


class CostOf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cost of each applicant: a multiple of one of its numbers, such as the amount that is asked for."""

    column: Name
    times: Cost


class Costs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cost of each mistake; a correct decision costs nothing. Numbers are relative, columns in their own unit."""

    missed_event: Cost | CostOf
    false_alarm: Cost | CostOf

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the costs are taken from, each once."""
        named = [cost.column for cost in (self.missed_event, self.false_alarm) if isinstance(cost, CostOf)]
        return tuple(dict.fromkeys(named))

    @property
    def threshold(self) -> float | None:
        """The probability of the event from which declining costs less than approving; None if applicants differ in it.

        Declining costs `(1 - p) * false_alarm`, approving `p * missed_event`; they are equal at
        `false_alarm / (false_alarm + missed_event)` (Elkan, 2001, "The foundations of cost-sensitive learning").
        Where both are multiples of one column, its value cancels out.
        """
        missed, alarm = self.missed_event, self.false_alarm
        if isinstance(missed, CostOf) and isinstance(alarm, CostOf):
            return threshold_of(missed.times, alarm.times) if missed.column == alarm.column else None
        return None if isinstance(missed, CostOf) or isinstance(alarm, CostOf) else threshold_of(missed, alarm)

    def amounts(self, value_of: Callable[[str], Any]) -> tuple[Any, Any]:
        """Both costs, `missed_event` first, given the numbers of the columns by name: of one applicant, or arrays."""
        missed, alarm = (
            value_of(cost.column) * cost.times if isinstance(cost, CostOf) else cost
            for cost in (self.missed_event, self.false_alarm)
        )
        return missed, alarm


def threshold_of(missed_event: Any, false_alarm: Any) -> Any:
    """The threshold that two costs imply; of numbers, or of arrays.

    >>> threshold_of(5, 1) == 1 / 6
    True
    """
    return false_alarm / (false_alarm + missed_event)


class Refer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The band of probabilities in which the decision is `refer`: a person decides."""

    start: Probability = field(name="from")  # inclusive
    end: Probability = field(name="to")  # exclusive


class ScoreScale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The scale of the score: whole points, more for a lower probability of the event."""

    points: Annotated[float, Meta(ge=-MOST_POINTS, le=MOST_POINTS)]  # at those odds
    odds: Annotated[float, Meta(gt=0, le=1e6)]  # against the event, to 1
    double: Annotated[float, Meta(gt=0, le=1e6)]  # points more double the odds against it


def policy_faults(costs: Costs, refer: Refer | None, features: Mapping[str, Feature]) -> list[tuple[str, str, str]]:
    """What is inconsistent in these keys: key, problem, remedy."""
    faults = []
    for key in ("missed_event", "false_alarm"):
        cost = getattr(costs, key)
        if isinstance(cost, CostOf) and (fault := _column_fault(features.get(cost.column), cost.column)):
            faults.append((f"costs.{key}.column", *fault))
    if refer is None:
        return faults
    if refer.start >= refer.end:
        faults.append(
            ("refer.from", f"{refer.start:g} is not below {refer.end:g}", "give a lower from, or a higher to")
        )
    elif not faults:
        low, high = thresholds_between(costs, features)
        implied = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
        if refer.start > high:
            remedy = f"set refer.from to at most {_below(high):g}, or change the costs"
            faults.append(
                ("refer.from", f"{refer.start:g} is above the threshold that the costs imply, {implied}", remedy)
            )
        if refer.end < low:
            remedy = f"set refer.to to at least {_above(low):g}, or change the costs"
            faults.append(("refer.to", f"{refer.end:g} is below the threshold that the costs imply, {implied}", remedy))
    return faults


def thresholds_between(costs: Costs, features: Mapping[str, Feature]) -> tuple[float, float]:
    """The lowest and the highest threshold that the ranges of the columns allow."""
    if (constant := costs.threshold) is not None:
        return constant, constant
    low, high = (costs.amounts(lambda name, side=side: getattr(features[name], side)) for side in ("lowest", "highest"))  # type: ignore[misc] # mypy sees no default of a lambda
    return threshold_of(high[0], low[1]), threshold_of(low[0], high[1])


def _column_fault(feature: Feature | None, name: str) -> tuple[str, str] | None:
    """Why a column cannot be a cost, and what to do; None where it can."""
    if feature is None:
        return f"there is no feature {name!r}", "name one of the features, protected or not"
    if feature.type == "categorical":
        return f"{name!r} is categorical", "name a number, such as the amount of the credit"
    if feature.nullable:
        return f"{name!r} is nullable, and a decision needs its value", "remove nullable: true, or name another column"
    if feature.lowest <= 0:
        return f"{name!r} may be {feature.lowest:g}, and a cost is above 0", "give the feature a minimum above 0"
    return None


def _below(value: float) -> float:
    """The value, rounded down to three decimals."""
    return int(value * 1000) / 1000


def _above(value: float) -> float:
    """The value, rounded up to three decimals."""
    return -int(-value * 1000 // 1) / 1000
