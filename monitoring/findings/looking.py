"""Looks for everything that is wrong now.

Owns: which parts are asked, and that one that fails hides no other. Leaves to others: drift, performance and the
records, each of which knows what is too much there.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial, reduce
from pathlib import Path

from configs.monitoring import Monitoring
from monitoring.findings.drift_findings import drift_part
from monitoring.findings.finding import Finding
from monitoring.findings.part import Part, blind
from monitoring.findings.performance_findings import performance_part
from monitoring.findings.record_findings import record_part
from monitoring.records.log_keys import LogKeys

Look = Callable[[Monitoring, LogKeys, datetime], Part]
# By the command that shows the same at length.
PARTS: dict[str, Look] = {
    "status": record_part,
    "drift": drift_part,
    "performance": performance_part,
}


def look(settings: Monitoring, keys: LogKeys, now: datetime) -> list[Finding]:
    """What is wrong with the service whose records are in `settings.directory`, at `now` in UTC; see `examine`."""
    return examine(settings, keys, now, grouped=False).findings


def examine(settings: Monitoring, keys: LogKeys, now: datetime, grouped: bool = True) -> Part:
    """The findings of all parts, and the figures behind them, those of groups too where they are wanted.

    A part that cannot look is a finding itself, `not_watched`.

    Raises:
        FileNotFoundError: there are no records.
    """
    if not Path(settings.directory).is_dir():
        raise FileNotFoundError(f"{settings.directory}: no such folder, so there are no records to look at")
    parts = PARTS | {"performance": partial(performance_part, grouped=grouped)}
    return reduce(Part.joined, (_ask(name, part, settings, keys, now) for name, part in parts.items()))


def _ask(name: str, part: Look, settings: Monitoring, keys: LogKeys, now: datetime) -> Part:
    try:
        return part(settings, keys, now)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are still looked at
        return Part([blind(name, name, str(error) or type(error).__name__, now)])
