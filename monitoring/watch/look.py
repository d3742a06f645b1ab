"""One look of the watch: what is wrong now, the files that say so, and whom to tell.

Owns: the order, and that what fails leaves the rest as it was. Leaves to others: looking (findings), the text of the
metrics (metrics_text), the page (report), the files (files).
"""

import logging
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from configs.monitoring import Monitoring
from configs.source import ConfigError
from monitoring.actions.destinations import Destination, destinations
from monitoring.actions.telling import tell
from monitoring.findings.finding import Finding, Findings
from monitoring.findings.log_state import log_state
from monitoring.findings.looking import examine
from monitoring.records.log_keys import LogKeys
from monitoring.report.figures import figures
from monitoring.report.writing import write
from monitoring.watch.figure_metrics import drift_metrics, performance_metrics
from monitoring.watch.files import FINDINGS, METRICS, monitor_folder, replace_file
from monitoring.watch.metrics_text import action_metrics, finding_metrics, look_metrics, record_metrics

_log = logging.getLogger(__name__)


def look_once(settings: Monitoring, keys: LogKeys) -> list[Finding]:
    """Look, write metrics, page and findings for the workers, and tell whoever wants to know.

    Raises:
        OSError: there are no records, or no file can be written beside them.
    """
    now, started_s = datetime.now(UTC), time.monotonic()
    directory = Path(settings.directory)
    folder = monitor_folder(directory)
    seen = examine(settings, keys, now)
    found = seen.findings
    replace_file(folder / FINDINGS, msgspec.json.format(msgspec.json.encode(Findings(found)), indent=1))
    text = finding_metrics(found) + drift_metrics(seen.drift) + performance_metrics(seen.performance)
    text += record_metrics(log_state(directory, keys), shutil.disk_usage(directory).free, now)
    try:
        write(folder, figures(settings, keys, now, seen))
    except Exception:  # noqa: BLE001 - whatever it is, findings are told and metrics written
        _log.exception("the page could not be made; the one before stays")
    text += look_metrics(now, time.monotonic() - started_s)
    replace_file(folder / METRICS, text.encode())
    told = tell(folder, settings, _destinations(settings), found, datetime.now(UTC))
    if told:  # after the rest, which does not wait for other machines
        replace_file(folder / METRICS, (text + action_metrics(told)).encode())
    return found


def _destinations(settings: Monitoring) -> list[Destination]:
    try:
        return destinations(settings, os.environ)
    except ConfigError as error:
        _log.error("nobody is told of findings: %s", error)
        return []
