"""The section of the model card on less discriminatory alternatives: what was chosen, by whom, what was declined."""

from collections.abc import Sequence

from msgspec import structs

from configs.dataset import Dataset
from configs.model import ModelConfig
from signatures.chain import Stated
from train.alternatives.record import Choice, Weighed, signed
from train.publishing.markdown import table
from train.publishing.promotions import Approvers

NONE = """\
No choice is on record. `make alternatives` searches for models near the best in cost that approve the audited groups
more alike; a person chooses one, or this one as it is, and the card of a model that is published afterwards says so."""
SAME = 1e-4  # thresholds that differ less are one: costs are written with few digits


def section(dataset: Dataset, config: ModelConfig, found: Sequence[Stated[Choice]], approvers: Approvers) -> str:
    """What the newest choice says, and whether it chose this model."""
    if not found:
        return NONE
    choice, newest = found[-1].stated, found[-1]
    this = (
        "This model is the one chosen." if is_chosen(dataset, config, choice) else "This model is not the one chosen."
    )
    text = (
        f"On {choice.at[:10]} {choice.by} chose {choice.chosen.name}, {choice.chosen.what}, from "
        f"{len(choice.declined) + 1} models that a search among {choice.looked_at} options offered "
        f"({signed(newest, approvers)}). Reason: {choice.why}"
    )
    columns = list(choice.chosen.ratios)
    heads = ("", "name", "model", "cost", *(f"approval ratio, `{column}`" for column in columns))
    rows = [_row("chosen", choice.chosen), *(_row("declined", other) for other in choice.declined)]
    return "\n\n".join([f"{text}\n\n{this}", table(heads, rows)])


def is_chosen(dataset: Dataset, config: ModelConfig, choice: Choice) -> bool:
    """Whether a model file and a dataset file make the model that was chosen."""
    inputs = {feature.name for feature in dataset.features if not feature.protected}
    same = structs.replace(config, description="") == structs.replace(choice.config, description="")
    own = dataset.threshold
    return same and not inputs & set(choice.dropped) and own is not None and abs(own - choice.threshold) < SAME


def _row(verdict: str, one: Weighed) -> tuple[str, ...]:
    return verdict, one.name, one.what, f"{one.cost:.3f}", *(f"{ratio:.3f}" for ratio in one.ratios.values())
