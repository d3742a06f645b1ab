"""What a model card says of the population: which rate the probabilities speak of, how rows count, vintages.

Owns these texts. Leaves the figures to `train.evaluation.vintages` and the card to `train.publishing.model_card`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from configs.dataset import Dataset
from train.vintages import Vintage

OF_TABLE = "The probabilities reflect the table's base rate, which may differ from that of your applicants."
OF_PRIOR = """\
The probabilities reflect a share of the event of {prior:.4g} among all applicants, which the dataset file states as
`prior` and nobody has measured here. Where the true share is another, every probability is off, and with it the
decisions at the threshold."""
PARTED = {
    "time": "The test rows are the newest by `{time}`, and the folds walk forward in time: no row was measured by a "
    "model that had learned from newer ones.",
    "group": "All rows of a customer, by `{group}`, are on one side of every split.",
    "weight": "Rows count by `{weight}`, in fit, calibration, metrics and gates.",
}
MATURE = "Rows younger than {days:,} days are left out, because their outcome is not known yet."


def rate(dataset: Dataset, base_rate: float, data: Mapping[str, Any]) -> str:
    """The share of the event that the probabilities speak of."""
    if dataset.prior is None:
        return f"{base_rate:.4f}, the share of the event among the training rows"
    share = data["events"] / data["rows"]
    return f"{base_rate:.4f}, that of the population (`prior`); {share:.4f} of the table's rows have the event"


def limits(dataset: Dataset) -> str:
    """What the probabilities are true of."""
    return OF_TABLE if dataset.prior is None else OF_PRIOR.format(prior=dataset.prior)


def parts(dataset: Dataset) -> str:
    """How rows are parted and weighed, in sentences; empty where the dataset file says nothing of it."""
    said = [PARTED[key].format(**{key: column}) for key, column in dataset.source.beside.items()]
    if dataset.target.mature_after_days:
        said.append(MATURE.format(days=dataset.target.mature_after_days))
    if dataset.prior is not None:
        said.append(
            "Metrics, costs and calibration are those of the population, in which events are as rare as `prior` says."
        )
    return " ".join(said)


def vintage_rows(vintages: Sequence[Vintage]) -> list[tuple[str, ...]]:
    """The rows of a table of vintages, the oldest first."""
    return [
        (
            found.name,
            "test part" if found.part == "test" else "walk forward",
            f"{found.rows:,}",
            f"{found.observed:.1%} ({found.observed_low:.1%} to {found.observed_high:.1%})",
            f"{found.expected:.1%}",
            "too few rows" if found.roc_auc is None else f"{found.roc_auc:.3f}",
            f"{found.psi:.3f}",
        )
        for found in vintages
    ]


VINTAGE_HEADS = ("vintage", "measured in", "rows", "event, observed", "event, expected", "ROC AUC", "PSI of the scores")
VINTAGE_TEXT = """\
Each vintage was scored by a model that had learned from older rows only. The interval holds 90%. PSI compares the
probabilities with those of the whole walk forward: from 0.1 there is some change, from 0.25 another population."""
