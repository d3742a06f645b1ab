"""The body of `POST /feedback`: which outcomes it has, or every fault of it.

Owns the rules for outcomes and their messages. Leaves parsing JSON and the shape of errors to `models`, and what
becomes of outcomes to `monitoring.records.outcomes`.

As with applicants there are two readers: a fast one for what is right, and a thorough one that explains what is not.
"""

from codecs import BOM_UTF8
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta, Struct

from configs.dataset import RESERVED
from models.application_ids import is_identifier
from models.errors import Detail, Rejected
from models.request import count_quotes, parse
from models.schema import MAX_ID_LENGTH
from models.validation import MAX_DETAILS, shown

ENVELOPE = "outcomes"
MAX_OUTCOMES = 10_000  # per request
INVALID = "invalid_outcome"  # error code
CLOCKS_APART = timedelta(seconds=10)  # by which a caller's clock may be ahead of ours
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
QUOTES = 10  # of an outcome: three keys, and two texts


class SentOutcome(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One outcome, as it is sent.

    Attributes:
        application_id: as sent to or answered by the service.
        event: whether the dataset's event happened.
        observed_at: when that was seen; ISO 8601 with a zone.
    """

    application_id: Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
    event: bool
    observed_at: Annotated[datetime, Meta(tz=True)]


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    outcomes: list[SentOutcome]


_decode = msgspec.json.Decoder(_Envelope).decode


def read_outcomes(body: bytes, now: datetime) -> list[SentOutcome]:
    """The outcomes of a body.

    Args:
        body: of the request.
        now: the time, which no outcome may be after.

    Raises:
        Rejected: 400, 413 or 422, with every fault, up to 20.
    """
    body = body.removeprefix(BOM_UTF8)
    latest = now + CLOCKS_APART
    try:
        outcomes = _decode(body).outcomes
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _explained(body, latest)
    # msgspec keeps the last of repeated keys; more quotes than the outcomes need mean that one is repeated.
    fine = 0 < len(outcomes) <= MAX_OUTCOMES and count_quotes(body) == 2 + QUOTES * len(outcomes)
    if fine and all(EARLIEST <= one.observed_at <= latest for one in outcomes):
        return outcomes
    return _explained(body, latest)


def reject_outcomes(faults: list[Detail]) -> NoReturn:
    """Reject with the first faults."""
    listed = tuple(faults[:MAX_DETAILS])
    more = ", the first of them listed" if len(faults) > MAX_DETAILS else ""
    noun = "value" if len(listed) == 1 else "values"
    raise Rejected(422, f"{len(listed)} {noun} refused{more}; nothing was kept", INVALID, listed)


def contradiction(row: int, outcome: SentOutcome) -> Detail:
    """The fault of an outcome that contradicts another observation of the same moment."""
    message = "contradicts another observation of the same moment; a later observed_at corrects it"
    return Detail(row=row, field="event", value=outcome.event, message=message)


def _explained(body: bytes, latest: datetime) -> list[SentOutcome]:
    """The thorough reader."""
    if sum(body.count(mark) for mark in (b"{", b"[", b",")) > (MAX_OUTCOMES + 2) * 6:
        raise Rejected(413, f"more values than {MAX_OUTCOMES:,} outcomes have")
    envelope = parse(body)
    if not isinstance(envelope, dict) or set(envelope) != {ENVELOPE} or getattr(envelope, "doubled", []):
        _reject_envelope()
    outcomes = envelope[ENVELOPE]
    if not isinstance(outcomes, list):
        _reject_envelope()
    if len(outcomes) > MAX_OUTCOMES:
        raise Rejected(413, f"{len(outcomes):,} outcomes; at most {MAX_OUTCOMES:,} in one request")
    if not outcomes:
        reject_outcomes([Detail(row=None, field=ENVELOPE, value=[], message="must hold at least one outcome")])
    faults: list[Detail] = []
    for row, outcome in enumerate(outcomes):
        faults += _faults(row, outcome, latest)
        if len(faults) > MAX_DETAILS:
            break
    if faults:
        reject_outcomes(faults)
    return msgspec.convert(outcomes, list[SentOutcome])


def _reject_envelope() -> NoReturn:
    raise Rejected(400, 'the body must be {"outcomes": [{...}, ...]} and nothing else', "invalid_envelope")


def _faults(row: int, outcome: Any, latest: datetime) -> list[Detail]:
    """Every fault of one outcome."""

    def fault(field: str | None, value: Any, message: str) -> Detail:
        return Detail(row=row, field=shown(field), value=shown(value), message=message)

    names = SentOutcome.__struct_fields__
    if not isinstance(outcome, dict):
        return [fault(None, outcome, "must be an object of application_id, event and observed_at")]
    faults = [fault(name, outcome[name], "is given twice") for name in getattr(outcome, "doubled", [])[:MAX_DETAILS]]
    unknown = [name for name in outcome if name not in names][:MAX_DETAILS]
    faults += [fault(name, outcome[name], f"unknown field; known are {', '.join(names)}") for name in unknown]
    for name in names:
        if name not in outcome:
            faults.append(fault(name, None, "is missing"))
        elif message := _fault(name, outcome[name], latest):
            faults.append(fault(name, outcome[name], message))
    return faults


def _fault(name: str, value: Any, latest: datetime) -> str:
    """What is wrong with one value; empty if nothing is."""
    if name == RESERVED:
        return "" if is_identifier(value) else f"must be text of 1 to {MAX_ID_LENGTH} characters"
    if name == "event":
        return "" if isinstance(value, bool) else "must be true or false"
    try:
        time = msgspec.convert(value, Annotated[datetime, Meta(tz=True)]) if isinstance(value, str) else None
    except msgspec.ValidationError:
        time = None
    if time is None:
        return "must be a time with a zone, as 2026-11-25T12:00:00Z"
    if time > latest:
        return "is in the future"
    return "" if time >= EARLIEST else "must not be before 1970"
