"""Looks for everything that is wrong now.

Owns: which parts are asked, and that one that fails hides no other. Leaves to others: drift, performance and the
records, each of which knows what is too much there.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from configs.monitoring import Monitoring
from monitoring.findings.finding import Finding
from monitoring.findings.record_findings import record_findings
from monitoring.records.log_keys import LogKeys

Part = Callable[[Monitoring, LogKeys, datetime], list[Finding]]
PARTS: dict[str, Part] = {"records": record_findings}


def look(settings: Monitoring, keys: LogKeys, now: datetime) -> list[Finding]:
    """What is wrong with the service whose records are in `settings.directory`, at `now` in UTC.

    A part that cannot look is a finding itself, `not_watched`, so that its silence is not taken for health.

    Raises:
        FileNotFoundError: there are no records.
    """
    if not Path(settings.directory).is_dir():
        raise FileNotFoundError(f"{settings.directory}: no such folder, so there are no records to look at")
    found: list[Finding] = []
    for name, part in PARTS.items():
        try:
            found += part(settings, keys, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are still looked at
            found.append(_blind(name, error, now))
    return found


def _blind(part: str, error: Exception, now: datetime) -> Finding:
    return Finding(
        code="not_watched",
        subject=part,
        value=None,
        bound=None,
        since=now,
        message=f"{part} could not be looked at: {str(error) or type(error).__name__}",
        remedy=f"mend what the message names, then run `python -m monitoring {REMEDIES.get(part, 'findings')}`",
    )


REMEDIES = {"records": "status", "drift": "drift", "performance": "performance"}
