"""What a search found: the contents of `alternatives.json`."""

from msgspec import Struct

from configs.model import ModelConfig
from train.evaluation.estimate import Estimate


class Ratio(Struct, frozen=True):
    """The approval ratio between the groups of one audit: lowest over highest approval rate.

    Attributes:
        column: of the audit.
        ratio: with its interval.
        change: against the model that the search started from, over the same resampled rows.
    """

    column: str
    ratio: Estimate
    change: Estimate


class Option(Struct, frozen=True):
    """A model that could be used instead, with one threshold for everybody.

    Attributes:
        name: by which a person chooses it.
        what: differs from the model that the search started from, in words.
        config: its model file.
        dropped: features that are no inputs.
        threshold: from which an applicant is declined.
        approved: share of all applicants.
        cost: per applicant.
        change: of the cost against the model that the search started from, paired over the folds.
        ratios: of every audit that has two groups with enough rows.
        frontier: whether no other option near the best costs no more and has no lower ratio.
    """

    name: str
    what: str
    config: ModelConfig
    dropped: tuple[str, ...]
    threshold: float
    approved: float
    cost: float
    change: Estimate
    ratios: list[Ratio]
    frontier: bool = False


class Search(Struct, frozen=True):
    """A whole search; the first option is the model that it started from, as it is.

    Attributes:
        settings: SHA-256 of the configs and the code.
        data_sha256: of the table.
        rows: on which the options were held out.
        folds: per repeat.
        repeats: of the folds.
        confidence: of the intervals.
        within: an option is near the best if it costs at most this share more than the cheapest, or no more than the
            model as it is.
        options: all that were looked at.
    """

    settings: str
    data_sha256: str
    rows: int
    folds: int
    repeats: int
    confidence: float
    within: float
    options: list[Option]

    @property
    def offered(self) -> list[Option]:
        """What a person chooses from: the model as it is, and the frontier."""
        return [option for place, option in enumerate(self.options) if option.frontier or not place]
