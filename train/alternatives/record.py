"""The record of what was chosen: a chained, signed history beside the versions of a model in the BentoML store.

Owns its entries. Each has who chose what of a search, why and when, and what was declined, with the figures of all of
it, so that it can be read when the search is gone. Leaves the file and its chain to `signatures.chain`, and who may
choose to `train.publishing.approval`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from configs.model import ModelConfig
from signatures.chain import Chain, Linked, Stated
from signatures.keys import SignatureError, public_key
from train.alternatives.results import Option
from train.errors import PipelineError
from train.publishing import store
from train.publishing.promotions import Approvers, SigningKey

SUBJECT = "alternatives"
UNPROVED = "not signed by who is named"


class Weighed(Struct, frozen=True):
    """An option as it was when somebody chose it or declined it."""

    name: str
    what: str
    cost: float
    ratios: dict[str, float]


class Choice(Linked, frozen=True, kw_only=True):
    """One choice.

    Attributes:
        chosen: the option.
        declined: the other options that were offered.
        looked_at: number of all options of the search.
        config: the model file of the option chosen.
        dropped: features that are none of its inputs.
        threshold: of the option chosen.
        by: who chose.
        why: the reason.
        at: ISO 8601, UTC.
    """

    chosen: Weighed
    declined: list[Weighed]
    looked_at: int
    config: ModelConfig
    dropped: tuple[str, ...]
    threshold: float
    by: str
    why: str
    at: str


CHAIN = Chain(
    name="alternatives.history",
    kind="urn:credit-scorer:alternative:1",
    noun="a choice",
    remedy="restore the file from a backup, or move it away and choose again",
    type_=Choice,
)


def weighed(option: Option) -> Weighed:
    """An option in few figures."""
    return Weighed(option.name, option.what, option.cost, {ratio.column: ratio.ratio.value for ratio in option.ratios})


def append(name: str, search_sha256: str, choice: Choice, *keys: SigningKey) -> Path:
    """Record a choice about the model `name`; returns the file."""
    folder = store.home() / "models" / name
    folder.mkdir(parents=True, exist_ok=True)  # a model that passed no gate has none
    try:
        CHAIN.append(folder, SUBJECT, search_sha256, choice, *keys)
    except SignatureError as error:
        raise PipelineError(str(error)) from None
    return folder / CHAIN.name


def choices(name: str) -> list[Stated[Choice]]:
    """Every choice about the model `name`, oldest first; raises where the record is broken."""
    try:
        return CHAIN.read(store.home() / "models" / name)
    except SignatureError as error:
        raise PipelineError(str(error)) from None


def signed(found: Stated[Choice], approvers: Approvers) -> str:
    """Whether a choice is signed, and where approvers have keys by whoever it names, in words."""
    if isinstance(approvers, Mapping):
        named = approvers.get(found.stated.by)
        proved = named is not None and found.line.is_signed_by(public_key(Path(named)))
        return "signed by who is named" if proved else UNPROVED
    return "signed" if found.line.signatures else "not signed"


def lines(found: Sequence[Stated[Choice]], approvers: Approvers) -> list[str]:
    """Every choice, a line each; raises where approvers have keys and whoever the newest names has not signed it."""
    said = []
    for one in found:
        choice = one.stated
        declined = ", ".join(f"{other.name} ({other.what})" for other in choice.declined)
        said.append(
            f"{choice.at}  choose    {choice.chosen.name} ({choice.chosen.what})  by {choice.by}: {choice.why}  "
            f"[{signed(one, approvers)}; declined {declined}]"
        )
    if found and signed(found[-1], approvers) == UNPROVED:
        newest = found[-1].stated
        raise PipelineError(
            f"{CHAIN.name}: the choice of {newest.at} names {newest.by!r}, who has not signed it; choose again: "
            "python -m train choose NAME --approver-key KEY --why REASON"
        )
    return said
