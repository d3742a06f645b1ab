"""Looks for everything that is wrong now.

Owns: which parts are asked, and that one that fails hides no other. Leaves to others: drift, performance and the
records, each of which knows what is too much there.
"""

from collections.abc import Callable
from datetime import datetime
from functools import reduce
from pathlib import Path

from configs.monitoring import Monitoring
from monitoring.findings.drift_findings import drift_part
from monitoring.findings.finding import Finding
from monitoring.findings.part import Part, blind
from monitoring.findings.performance_findings import performance_part
from monitoring.findings.record_findings import record_part
from monitoring.records.log_keys import LogKeys

# By the command that shows the same at length.
PARTS: dict[str, Callable[[Monitoring, LogKeys, datetime], Part]] = {
    "status": record_part,
    "drift": drift_part,
    "performance": performance_part,
}


def look(settings: Monitoring, keys: LogKeys, now: datetime) -> list[Finding]:
    """What is wrong with the service whose records are in `settings.directory`, at `now` in UTC; see `examine`."""
    return examine(settings, keys, now).findings


def examine(settings: Monitoring, keys: LogKeys, now: datetime) -> Part:
    """The findings of all parts, and the figures behind them.

    A part that cannot look is a finding itself, `not_watched`.

    Raises:
        FileNotFoundError: there are no records.
    """
    if not Path(settings.directory).is_dir():
        raise FileNotFoundError(f"{settings.directory}: no such folder, so there are no records to look at")
    return reduce(Part.joined, (_ask(name, settings, keys, now) for name in PARTS))


def _ask(name: str, settings: Monitoring, keys: LogKeys, now: datetime) -> Part:
    try:
        return PARTS[name](settings, keys, now)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are still looked at
        return Part([blind(name, name, str(error) or type(error).__name__, now)])
