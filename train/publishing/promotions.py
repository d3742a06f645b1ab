"""Promotions: what one is, which champions they leave, and the history of the BentoML store, which services check.

Owns the events and their entries in the store. Leaves the bytes and the chain to `signatures.promotions`, and MLflow's
record of the same events to `train.registry`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from msgspec import Struct

from models.artifact import MODEL, sha256
from models.champion import ALIAS, named_champion
from signatures import promotions
from signatures.keys import SignatureError, public_key
from train.errors import PipelineError

SigningKey = EllipticCurvePrivateKey | None
Approvers = Sequence[str] | Mapping[str, str]  # names, or names with the file of each one's public key
PIPELINE = "the pipeline"  # decides about the first champion, and records one that it finds


class Event(Struct, frozen=True):
    """One change of the champion."""

    action: Literal["first", "adopted", "promote", "rollback"]
    version: str  # the new champion
    instead_of: str  # the previous one; empty for the first
    by: str
    why: str
    at: str  # ISO 8601, UTC, to the microsecond
    evidence: str  # the run and the verdicts of its gates


def champion_of(events: Sequence[Event]) -> list[str]:
    """The stack of champions, the current one last.

    >>> event = lambda action, version: Event(action, version, "", "", "", "", "")
    >>> champion_of([event("first", "a"), event("promote", "b"), event("promote", "c"), event("rollback", "b")])
    ['a', 'b']
    """
    stack: list[str] = []
    for event in events:
        if event.action == "rollback":
            stack.pop()
        elif stack[-1:] != [event.version]:  # else it was promoted again, to be signed
            stack.append(event.version)
    return stack


def entries(folder: Path) -> list[promotions.Entry]:
    """The history of the store; `folder` is that of the versions. Raises where it is broken."""
    try:
        return promotions.read(folder)
    except SignatureError as error:
        raise PipelineError(str(error)) from None


def record(folder: Path, event: Event, *keys: SigningKey) -> None:
    """Append an event to the history of the store, signed by each key that is one."""
    graph = folder / event.version / MODEL
    digest = sha256(graph.read_bytes()) if graph.exists() else ""  # an adopted one may have been deleted
    about = {field: getattr(event, field) for field in ("action", "instead_of", "by", "why", "at", "evidence")}
    promotions.append(folder, event.version, digest, promotions.Promotion(**about), *keys)


def is_recorded(folder: Path, version: str, key: SigningKey) -> bool:
    """Whether the history ends with this champion, signed if there is a key: then there is nothing to promote."""
    found = entries(folder)
    return bool(found) and found[-1].version == version and _is_signed(found, key)


def verified(folder: Path, events: Sequence[Event], key: SigningKey, approvers: Approvers = ()) -> str:
    """What the history of the store holds, in words.

    Args:
        folder: of the versions.
        events: as MLflow has them; none where it is another one's.
        key: if given, the newest entry has to be signed by it.
        approvers: if they have keys, whoever the newest entry names has to have signed it.

    Raises:
        PipelineError: it was changed, or cut off, or the champion is not the one that it names.
    """
    found, file = entries(folder), folder / promotions.FILE
    if not found:
        return f"{file} has no entries yet; the next promotion begins it"
    newest = found[-1]
    refuse_edited(folder, found)
    if events and (newest.version, newest.promotion.at) != ((last := events[-1]).version, last.at):
        raise PipelineError(
            f"{file}: ends with {newest.version} of {newest.promotion.at}, and MLflow's record with {last.version} of "
            f"{last.at}: somebody has removed the newest entries of one; restore it, or promote the champion again"
        )
    if not _is_signed(found, key):
        raise PipelineError(f"{file}: its newest entry is not signed by this key; promote the champion again with it")
    signed = sum(entry.is_signed for entry in found)
    said = f"{file} is whole: {len(found)} entries, {signed} signed"
    if not isinstance(approvers, Mapping):
        return said
    proved = [_is_proved(entry, approvers) for entry in found]
    if not proved[-1] and newest.promotion.by != PIPELINE:
        raise PipelineError(
            f"{file}: its newest entry names {newest.promotion.by!r}, who has not signed it; promote the champion "
            f"again: python -m train promote {newest.version} --approver-key KEY --why REASON"
        )
    return f"{said}, {sum(proved)} by the approver whom they name"


def _is_proved(entry: promotions.Entry, approvers: Mapping[str, str]) -> bool:
    """Whether who is named as having decided has signed the entry."""
    named = approvers.get(entry.promotion.by)
    return named is not None and entry.line.is_signed_by(public_key(Path(named)))


def refuse_edited(folder: Path, found: Sequence[promotions.Entry]) -> None:
    """Raise where the store names another champion than its history: nobody has promoted that one."""
    named = named_champion(folder)
    if found and named is not None and named != found[-1].version:
        raise PipelineError(
            f"{folder / ALIAS}: names {named}, and {found[-1].version} was promoted last ({folder / promotions.FILE}); "
            f"write {found[-1].version} there, and promote {named} if it should be the champion"
        )


def _is_signed(found: Sequence[promotions.Entry], key: SigningKey) -> bool:
    return key is None or found[-1].line.is_signed_by(key.public_key())
