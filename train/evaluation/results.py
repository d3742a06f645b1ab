"""What is found out about a model: the contents of `metrics.json`, `evidence.json` and `gates.json`, and their numbers.

Apart from how they are found out, so that what only reads and prints them imports neither PyTorch nor scikit-learn.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from msgspec import Struct

from train.errors import PipelineError
from train.evaluation.consequences import Profit, Referrals
from train.evaluation.estimate import Estimate as Estimate  # noqa: PLC0414 - for others to import from here
from train.evaluation.numbers import DIGITS, Unit, format_number
from train.validation.results import Behaviour, Outcomes
from train.vintages import Vintage

Status = Literal["pass", "warn", "waived", "fail", "not judged"]


@dataclass(frozen=True)
class Metrics:
    """Metrics of probabilities against outcomes; costs are per row, at the thresholds that they imply."""

    rows: int
    roc_auc: float
    gini: float
    ks: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    brier: float
    log_loss: float
    cost: float
    cost_of_declining_all: float
    cost_of_approving_all: float
    calibration_slope: float
    calibration_intercept: float

    def as_dict(self) -> dict[str, float]:
        """The metrics by name."""
        return asdict(self)


@dataclass(frozen=True)
class Results:
    """Metrics on the test part, and means of some metrics over the held-out folds of the training part."""

    test: Metrics
    held_out: dict[str, float]


class Importance(Struct, frozen=True):
    """The loss of ROC AUC when a column of the test rows is shuffled (Breiman, 2001): mean and standard deviation."""

    feature: str
    mean: float
    deviation: float


class Walk(Struct, frozen=True):
    """One feature, walked over all values that are allowed.

    Attributes:
        feature: its name.
        unseen: the categories, or the ranges of a number, that are allowed and that no training row has.
        departure: the largest distance of the probability at an unseen value from those at the seen values around it,
            the mean over applicants.
        against: the largest step of any applicant's probability against a monotone feature; null for any other.
    """

    feature: str
    unseen: list[str]
    departure: float
    against: float | None = None


class Group(Struct, frozen=True, omit_defaults=True):
    """One group: rows, the share approved, and the shares declined without the event and approved with it.

    A share of no rows is null. A group with too few rows is shown and not judged, and so is a share in `few`.
    """

    name: str
    rows: int
    approved: float
    declined_without_event: float | None
    approved_with_event: float | None
    judged: bool = True
    few: tuple[str, ...] = ()  # the shares over too few rows of a group that has enough
    referred: float = 0.0  # share of the rows; the shares above count these as declined


class Fairness(Struct, frozen=True):
    """One audit: its groups, and two figures over those with enough rows; null if fewer than two can be compared."""

    column: str
    groups: list[Group]
    approval_ratio: Estimate | None  # lowest over highest approval rate; 0 if nobody is approved
    odds_difference: Estimate | None  # equalised odds: the largest gap in the rate of either mistake


class Unseen(Struct, frozen=True):
    """What the model shows on the test part, which no fold and no choice has touched.

    Attributes:
        rows, events: of the test part, and among them those with the event.
        alike: cost per applicant of declining or approving everyone, whichever is cheaper.
        saving: of that, per applicant.
        gain_over_baseline: in ROC AUC, paired; null if the model is the baseline.
        referrals, profit: null where the dataset file has no band for them, or no costs that are amounts.
    """

    rows: int
    events: int
    alike: float
    saving: Estimate
    gain_over_baseline: Estimate | None
    referrals: Referrals | None = None
    profit: Profit | None = None


class Shared(Struct, frozen=True):
    """Rows on both sides of the split.

    Attributes:
        share: of the test rows, those with a twin in the training part: equal in every column but one, or in all.
        rows: an example, by its places in the checked table, the first being 1; empty if there are none.
    """

    share: float
    rows: tuple[int, ...]


class Comparison(Struct, frozen=True):
    """A model against the champion, in ROC AUC.

    Attributes:
        version: of the champion.
        recipe: gain over the champion's model file, fitted on the same folds; nought for the same; null if unreadable.
        graph: gain over the champion's own graph on test rows that neither saw; null if it could not be measured.
        rows, why: their number, and why it could not.
    """

    version: str
    recipe: Estimate | None
    graph: Estimate | None
    rows: int
    why: str


class Evidence(Struct, frozen=True):
    """The evidence about one model.

    Attributes:
        files, settings: SHA-256 of each file that it is about, and of the configs and the code that gathered it.
        folds: folds per repeat.
        fold_roc_auc: of this model on each fold, for paired comparisons.
        candidates: by name, each metric of `SHOWN` over the folds, with its interval.
        gain_over_baseline: in ROC AUC, paired; null if the model is the baseline.
        cost_of_protection: gain in ROC AUC with the protected columns as inputs, paired; null if there are none.
        cost_of_monotone: gain in ROC AUC with no feature held monotone, paired; null if none is.
        roc_auc: of the held-out probabilities.
        calibration_slope: of the held-out probabilities (Cox, 1958).
        saving: cost per applicant saved over declining or approving everyone, whichever is cheaper.
        fairness: by audit, of the held-out decisions.
        importance: of each column of the model, the most important first.
        walks: of each column of the model, in the order of the dataset.
        reasons_kept: the share of declined applicants whose set of reasons a training with another seed keeps; null if
            too few are declined, or the model is too wide to be explained.
        unseen: on the test part.
        shared: rows on both sides of the split; null where so many are by chance, in few columns of few values.
        vintages: the performance by vintage, the oldest first; empty where the table has no dates.
        outcomes: held-out probabilities against outcomes: by decile, at the threshold, by segment.
        behaviour: of the graph: the effect of each column, interactions, and what an error in a column does.
    """

    files: dict[str, str]
    settings: str
    folds: int
    fold_roc_auc: list[float]
    candidates: dict[str, dict[str, Estimate]]
    gain_over_baseline: Estimate | None
    cost_of_protection: Estimate | None
    cost_of_monotone: Estimate | None
    roc_auc: Estimate
    calibration_slope: Estimate
    saving: Estimate
    fairness: list[Fairness]
    importance: list[Importance]
    walks: list[Walk]
    reasons_kept: Estimate | None
    unseen: Unseen
    shared: Shared | None = None
    vintages: list[Vintage] = []
    outcomes: Outcomes | None = None
    behaviour: Behaviour | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """One gate: the figure found, the bound, and what to do about a failure."""

    gate: str
    status: Status
    figure: Estimate | None  # null where it is undefined, or differs from run to run
    bound: str
    remedy: str
    waiver: str = ""
    unit: Unit = ""
    undefined: str = ""  # why there is no figure, where there should be one


class GateError(PipelineError):
    """A model that may not be published."""

    def __init__(self, failed: Sequence[Verdict]) -> None:
        lines = [
            f"{verdict.gate}: {format_figure(verdict, 'out of bounds')}, must be {verdict.bound}; {verdict.remedy}"
            for verdict in failed
        ]
        noun = "gate" if len(lines) == 1 else "gates"
        super().__init__("\n  ".join([f"{len(lines)} {noun} failed, so nothing was published:", *lines]))


def format_estimate(estimate: Estimate, unit: Unit = "") -> str:
    """A value with its interval, if it has one.

    >>> format_estimate(Estimate(0.5, 0.4, 0.6)), format_estimate(Estimate(388_812, 388_812, 388_812), "bytes")
    ('0.500 (0.400 to 0.600)', '389 kB')
    """
    if estimate.low == estimate.high:
        return format_number(estimate.value, unit)
    value, low, high = (f"{number:z.{DIGITS}f}" for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def format_figure(verdict: Verdict, varying: str) -> str:
    """The figure of a verdict: `varying` for one that differs from run to run.

    >>> undefined = Verdict(gate="equalised odds, sex", status="not judged", figure=None, bound="", remedy="")
    >>> format_figure(undefined, "varies")
    'undefined: too few rows to compare'
    """
    if verdict.status == "not judged" or verdict.undefined:
        return f"undefined: {verdict.undefined or 'too few rows to compare'}"
    return format_estimate(verdict.figure, verdict.unit) if verdict.figure else varying
