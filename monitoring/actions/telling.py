"""Tells each destination what it does not know yet.

Owns: the order of sending and noting. Leaves to others: what is due (ledger), messages, delivery.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from configs.monitoring import Monitoring
from monitoring.actions import ledger
from monitoring.actions.delivery import deliver
from monitoring.actions.destinations import Destination
from monitoring.actions.ledger import Account
from monitoring.actions.messages import message
from monitoring.findings.finding import Finding

LEDGER = "actions.json"  # in the folder of what the watch leaves

_log = logging.getLogger(__name__)


def tell(
    folder: Path,
    settings: Monitoring,
    destinations: Sequence[Destination],
    findings: Sequence[Finding],
    now: datetime,
) -> dict[str, Account]:
    """Send what is due; return the accounts of these destinations. One process per folder may call this.

    What a destination is owed waits for the next call if it cannot be reached; that is logged once per attempt.

    Args:
        folder: where it is kept what they have been told.
        settings: how often a finding is told, how long an attempt may take, and whose records these are.
        destinations: who is told.
        findings: of this moment.
        now: in UTC.
    """
    if not destinations:
        return {}
    path, directory = folder / LEDGER, str(Path(settings.directory).resolve())
    accounts = ledger.load(path)
    for destination in destinations:
        name = destination.name
        account = ledger.seen(accounts.get(name, Account()), findings, now)
        what = ledger.due(account, findings, now, settings.action_repeat_s)
        if what:
            attempt = deliver(message(destination, what, directory, now), settings.action_timeout_s)
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
