"""What each destination has been told, so that nothing is told twice, restarts included.

Owns: the file `actions.json` beside the page, and what is due by it. Leaves to others: messages, sending (telling).

A finding is told when it is new to a destination, again after `repeat_s`, and once more when it has been gone for
`GONE_S`: a value that swings about its bound makes no message each minute. One that began and ended while a destination
could not be reached is never told there. A message is sent before that is noted, so a kill between the two sends it a
second time, with the same id.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from monitoring.findings.finding import Finding
from monitoring.records import durable, private

GONE_S = 300  # seconds
RETRY_S = (30, 3600)  # seconds until the next attempt after a failed one: the first, and the limit of doubling it

_log = logging.getLogger(__name__)


class Told(Struct, frozen=True):
    """A finding that a destination knows of; `gone` is since when it has not been found any more."""

    finding: Finding
    at: datetime
    gone: datetime | None = None


class Account(Struct, frozen=True):
    """What one destination has been told.

    Attributes:
        told: the findings that are open there, by code and subject.
        delivered: messages that arrived, ever.
        failed: attempts that did not, ever.
        attempts: that failed since the last one that did not.
        next_attempt: when the next one may be made; None for any time.
    """

    told: dict[str, Told] = {}
    delivered: int = 0
    failed: int = 0
    attempts: int = 0
    next_attempt: datetime | None = None


class Due(Struct, frozen=True):
    """What a destination is to be told now; `id` is the same until it has been told."""

    id: str
    firing: list[Finding]
    resolved: list[Finding]


def key_of(finding: Finding) -> str:
    """Code and subject as one text."""
    return msgspec.json.encode(finding.identity).decode()


def seen(account: Account, findings: Sequence[Finding], now: datetime) -> Account:
    """Note which of the findings that were told are still there."""
    here = {key_of(one) for one in findings}
    told = {key: replace(one, gone=None if key in here else one.gone or now) for key, one in account.told.items()}
    return replace(account, told=told)


def due(account: Account, findings: Sequence[Finding], now: datetime, repeat_s: int) -> Due | None:
    """What is to be told now; None for nothing, and while it is too early for another attempt."""
    if account.next_attempt and now < account.next_attempt:
        return None
    firing = [one for one in findings if _is_due(account.told.get(key_of(one)), now, repeat_s)]
    gone = now - timedelta(seconds=GONE_S)
    resolved = [one.finding for one in account.told.values() if one.gone and one.gone <= gone]
    if not firing and not resolved:
        return None
    before = {key: one.at for key, one in account.told.items()}
    parts = [[key_of(one), before.get(key_of(one)), part] for part in (firing, resolved) for one in part]
    return Due(hashlib.sha256(msgspec.json.encode([account.delivered, parts])).hexdigest()[:32], firing, resolved)


def _is_due(told: Told | None, now: datetime, repeat_s: int) -> bool:
    return told is None or (repeat_s > 0 and now - told.at >= timedelta(seconds=repeat_s))


def delivered(account: Account, what: Due, now: datetime) -> Account:
    """The account after `what` has arrived."""
    told = account.told | {key_of(one): Told(one, now) for one in what.firing}
    for one in what.resolved:
        told.pop(key_of(one), None)
    return replace(account, told=told, delivered=account.delivered + 1, attempts=0, next_attempt=None)


def failed(account: Account, now: datetime, retry_after_s: float | None = None) -> Account:
    """The account after an attempt failed; `retry_after_s` is what the destination asked for, if it did."""
    first, most = RETRY_S
    wait_s = min(first * 2.0 ** min(account.attempts, 20), most) if retry_after_s is None else retry_after_s
    return replace(
        account,
        failed=account.failed + 1,
        attempts=account.attempts + 1,
        next_attempt=now + timedelta(seconds=min(wait_s, most)),
    )


def load(path: Path) -> dict[str, Account]:
    """The accounts by destination; none where there is no file, or one that is not ours, which the log says."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Account])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _log.error("%s cannot be decoded (%s): open findings are told once more", path, error)
        return {}


def save(path: Path, accounts: dict[str, Account]) -> None:
    """Replace the file; it is on disk when this returns."""
    private.make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    durable.write(temporary, msgspec.json.format(msgspec.json.encode(accounts), indent=1))
    temporary.replace(path)
    durable.sync_folders([path])
