"""Tells each destination what it does not know yet.

Owns: the order of sending and noting. Leaves to others: what is due (ledger), messages, delivery.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from monitoring.actions import ledger
from monitoring.actions.delivery import deliver
from monitoring.actions.destinations import Destination
from monitoring.actions.ledger import Account
from monitoring.actions.messages import message
from monitoring.findings.finding import Finding

_log = logging.getLogger(__name__)


def ledger_path(directory: Path) -> Path:
    """Where it is kept, of the records in `directory`."""
    return directory / "monitor" / "actions.json"


def tell(
    directory: Path,
    destinations: Sequence[Destination],
    findings: Sequence[Finding],
    now: datetime,
    repeat_s: int,
    timeout_s: float,
) -> dict[str, Account]:
    """Send what is due; return the accounts of these destinations. One process per directory may call this.

    What a destination is owed waits for the next call if it cannot be reached; that is logged once per attempt.
    """
    path = ledger_path(directory)
    accounts = ledger.load(path)
    if not destinations:
        return {}
    for destination in destinations:
        name = destination.name
        account = ledger.seen(accounts.get(name, Account()), findings, now)
        what = ledger.due(account, findings, now, repeat_s)
        if what:
            attempt = deliver(message(destination, what, str(directory.resolve()), now), timeout_s)
            if attempt.problem:
                account = ledger.failed(account, now, attempt.retry_after_s)
                at = account.next_attempt
                _log.error("findings not sent to %s: %s; next attempt %s", name, attempt.problem, f"{at:%H:%M:%SZ}")
            else:
                account = ledger.delivered(account, what, now)
                told = len(what.firing), len(what.resolved)
                _log.info("sent to %s: %d findings that began, %d that ended", name, *told)
        if account != accounts.get(name):
            accounts[name] = account
            ledger.save(path, accounts)
    return {destination.name: accounts.get(destination.name, Account()) for destination in destinations}
