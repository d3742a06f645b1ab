"""One look of the watch: what is wrong now, the files that say so, and whom to tell.

Owns: the order, and that what fails leaves the rest as it was. Leaves to others: looking (findings), the text of the
metrics (metrics_text), the files (files).
"""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from configs.monitoring import Monitoring
from monitoring.findings.finding import Finding, Findings
from monitoring.findings.log_state import log_state
from monitoring.findings.looking import look
from monitoring.records.log_keys import LogKeys
from monitoring.watch.files import FINDINGS, METRICS, monitor_folder, replace_file
from monitoring.watch.metrics_text import finding_metrics, look_metrics, record_metrics


def look_once(settings: Monitoring, keys: LogKeys) -> list[Finding]:
    """Look, and write what was found for the workers.

    Raises:
        OSError: there are no records, or no file can be written beside them.
    """
    now, started_s = datetime.now(UTC), time.monotonic()
    directory = Path(settings.directory)
    folder = monitor_folder(directory)
    found = look(settings, keys, now)
    replace_file(folder / FINDINGS, msgspec.json.format(msgspec.json.encode(Findings(found)), indent=1))
    text = finding_metrics(found) + record_metrics(log_state(directory, keys), shutil.disk_usage(directory).free, now)
    replace_file(folder / METRICS, (text + look_metrics(now, time.monotonic() - started_s)).encode())
    return found
