"""What a validator is shown: the contents of `outcomes` and `behaviour` in `evidence.json`, and of `stability.json`.

Apart from how it is found out, so that what only reads and prints it imports neither PyTorch nor scikit-learn. Every
probability is that of the event, from 0 to 1; every share is of rows.
"""

from collections.abc import Sequence

from msgspec import Struct

from train.evaluation.estimate import Estimate


class Decile(Struct, frozen=True):
    """A tenth of the rows in the order of their probability, the riskiest first.

    Attributes:
        lowest: probability in it.
        highest: probability in it.
        rows: their number.
        events: among them.
        predicted: the mean probability.
        observed: the share of events.
        lift: that share over the share of events in all rows.
        found: the share of all events that is in this decile or a riskier one.
    """

    lowest: float
    highest: float
    rows: int
    events: int
    predicted: float
    observed: Estimate
    lift: float
    found: float


class Zone(Struct, frozen=True):
    """Rows on a side of the threshold, or near it; predicted and observed are null where there is none."""

    name: str
    rows: int
    events: int
    predicted: float | None
    observed: Estimate | None


class Segment(Struct, frozen=True):
    """The performance among the rows of one group of a grouping.

    Attributes:
        grouping: such as the name of a column.
        name: of the group.
        rows: their number.
        events: among them.
        approved: the share with a probability below the threshold.
        predicted: the mean probability.
        observed: the share of events.
        roc_auc: null where a group has too few rows of either outcome.
        cost: per applicant.
    """

    grouping: str
    name: str
    rows: int
    events: int
    approved: float
    predicted: float
    observed: Estimate
    roc_auc: Estimate | None
    cost: float

    @property
    def off(self) -> bool:
        """Whether the interval of the observed share does not hold the predicted one."""
        return not self.observed.low <= self.predicted <= self.observed.high


class Outcomes(Struct, frozen=True):
    """Held-out probabilities against outcomes."""

    deciles: list[Decile]
    zones: list[Zone]
    segments: list[Segment]


class Effect(Struct, frozen=True):
    """What one column does to the probability of some applicants, all else equal.

    Attributes:
        feature: its name.
        values: that the applicants are given, numbers or categories; the empty text is a missing one.
        mean: of all applicants at each value: the partial dependence (Friedman, 2001).
        curves: of some applicants, one each: individual conditional expectation (Goldstein et al., 2015).
        places: categories, numbers, or the middles of equally wide ranges of numbers.
        density: the share of the rows at each of these.
        missing: the mean where the value is missing; null where it may not be, or is one of the values.
        unit: of a number.
    """

    feature: str
    values: Sequence[float | str]
    mean: list[float]
    curves: Sequence[Sequence[float]]
    places: Sequence[float | str]
    density: Sequence[float]
    missing: float | None = None
    unit: str = ""


class Interaction(Struct, frozen=True):
    """How far two columns, or one and all others, act together (Friedman and Popescu, 2008).

    Attributes:
        features: one name, for all others together, or two.
        h: the H statistic, 0 for effects that add up.
        strength: the same before it is divided by the size of the joint effect, in log-odds.
    """

    features: tuple[str, ...]
    h: float
    strength: float


class Sensitivity(Struct, frozen=True):
    """What an error in one column does to decisions, all else equal.

    Attributes:
        feature: its name.
        error: what is wrong, in words.
        flips: share of the decisions that it changes.
        mean: change of the probability, without its sign.
        largest: such a change.
        lost: share of the decisions that change where the value is missing; null where it may not be.
    """

    feature: str
    error: str
    flips: float
    mean: float
    largest: float
    lost: float | None


class Behaviour(Struct, frozen=True):
    """The graph by itself, without outcomes; of a wide model, the columns that matter most."""

    effects: list[Effect]
    interactions: list[Interaction]
    sensitivities: list[Sensitivity]


class Seed(Struct, frozen=True):
    """The recipe trained with one seed: figures over held-out rows."""

    seed: int
    roc_auc: float
    cost: float
    approved: float


class Stability(Struct, frozen=True):
    """The recipe trained with several seeds.

    Attributes:
        model_sha256: of the graph that it is about.
        settings: SHA-256 of the configs and the code.
        rows: held out, on which the figures and decisions are.
        folds: in which they were held out.
        seeds: the first is that of the model.
        flips: share of the decisions in which two seeds differ, mean over the pairs.
        undecided: share of the rows on whose decision not all seeds agree.
        deviation: of a row's probability between seeds, the mean over the rows.
        declined: applicants that every seed declines, to whom reasons were told.
        reasons_kept: share of them that is told the same set of reasons by two seeds, mean over the pairs; null where
            there are too few.
        first_reason_kept: likewise of the first reason.
    """

    model_sha256: str
    settings: str
    rows: int
    folds: int
    seeds: list[Seed]
    flips: float
    undecided: float
    deviation: float
    declined: int
    reasons_kept: float | None
    first_reason_kept: float | None
