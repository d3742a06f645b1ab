"""What follows from the decisions on the test rows: who is referred to a person, and what approving earns.

Owns the types, which are parts of `evidence.json`. Leaves the figures to `train.evaluation.referrals`.
"""

from msgspec import Struct


class Referrals(Struct, frozen=True):
    """The rows that a person is to decide.

    Attributes:
        rows: their number.
        share: of all rows.
        event_share: of the event among them; null if there are none.
        cost: per applicant, of all rows, those referred decided by their threshold; gates judge by that.
        cost_if_right: the same, if each of them is decided right.
    """

    rows: int
    share: float
    event_share: float | None
    cost: float
    cost_if_right: float


class Profit(Struct, frozen=True):
    """What the decisions earn per applicant, in the unit of the costs, those referred decided by their threshold.

    Attributes:
        realised, low, high: by the outcomes, with an interval: `false_alarm` of each that was approved without the
            event, less `missed_event` of each with it.
        expected: by the probabilities; a calibrated model has it within the interval of what is realised.
        of_approving_all: by the outcomes; declining everyone earns nothing.
    """

    realised: float
    low: float
    high: float
    expected: float
    of_approving_all: float
