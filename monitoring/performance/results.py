"""What is found out about the performance of a model: the JSON of `python -m monitoring performance`.

Owns the types. Leaves finding out to the other modules. Times are ISO 8601 in UTC; a figure that cannot be told is
null.
"""

from msgspec import Struct


class Figure(Struct, frozen=True):
    """A figure with its interval; all null where too few rows tell it."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


Figures = dict[str, Figure]


class Check(Struct, frozen=True):
    """A figure of the rows with an outcome, beside what was expected of the same rows before it came.

    Attributes:
        realised, expected: the figure by the outcomes, and by the probabilities alone.
        low, high: between which the realised one is where outcomes follow the probabilities.
        agrees: whether it is.
    """

    realised: float
    expected: float
    low: float
    high: float
    agrees: bool


class Concept(Struct, frozen=True, rename={"since": "from"}):
    """Whether outcomes still follow the probabilities; inputs that drift alone change nothing of that.

    Attributes:
        p_value: valid however often and whenever it is looked at.
        bound: of `p_value`; below it is a breach, if the change is large enough to matter.
        breach: whether it is one.
        since: of the rows from which on the change is likeliest; null without one.
        observed, predicted: share of events among these rows, and the mean of their probabilities.
        auc_loss: ROC AUC expected of these rows, less the realised one.
        slope: of the calibration line of these rows; 1 where it is right.
    """

    p_value: float
    bound: float
    breach: bool
    since: str | None = None
    observed: float | None = None
    predicted: float | None = None
    auc_loss: float | None = None
    slope: float | None = None


class Group(Struct, frozen=True):
    """The performance of one group of a column: an audit's, or a category.

    Attributes:
        column: that groups.
        group: its name.
        audited: whether it is a group of an audit.
        rows, with_outcome: scored, and of these with an outcome.
        realised, estimated: as for the model.
    """

    column: str
    group: str
    audited: bool
    rows: int
    with_outcome: int
    realised: Figures
    estimated: Figures


class Window(Struct, frozen=True, rename={"since": "from"}):
    """The performance of the decisions of one part of the time."""

    since: str
    until: str
    rows: int
    with_outcome: int
    realised: Figures
    estimated: Figures


class Breach(Struct, frozen=True):
    """What is worse than it may be.

    Attributes:
        code: `concept`, `realised_roc_auc` or `estimated_roc_auc`.
        value, bound: of the figure.
        since: of the rows that it is about.
    """

    code: str
    value: float
    bound: float
    since: str


class Performance(Struct, frozen=True, rename={"since": "from"}):
    """The performance of one model.

    Attributes:
        model: name and version.
        since, until: times of the first and the last decision looked at.
        rows: decisions.
        with_outcome: of these with a mature outcome.
        immature: outcomes left out, as their decisions are too young for every outcome to be known.
        realised: by the outcomes.
        estimated: by the probabilities of all rows, without outcomes.
        reference: as measured when the model was trained, on rows that it had not seen.
        check: the estimate against the outcomes.
        concept: whether outcomes still follow the probabilities; null while there are too few.
        groups: by audited group and by category.
        windows: over time, the oldest first.
        breaches: what is worse than it may be.
        breach: whether anything is.
    """

    model: str
    since: str
    until: str
    rows: int
    with_outcome: int
    immature: int
    realised: Figures
    estimated: Figures
    reference: dict[str, float]
    check: dict[str, Check]
    concept: Concept | None
    groups: list[Group]
    windows: list[Window]
    breaches: list[Breach]
    breach: bool
