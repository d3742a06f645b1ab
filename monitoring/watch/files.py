"""What the watch leaves beside the page, in `<directory>/monitor/`, for the workers, which only read it.

Owns: the paths, replacing a file as a whole, and what of the metrics a worker may pass on. Leaves to others: content.
"""

import logging
import os
import re
from functools import lru_cache
from pathlib import Path

from monitoring.records import private
from monitoring.report.place import FOLDER

METRICS = "metrics.prom"
FINDINGS = "findings.json"
MOST_BYTES = 4_194_304  # of metrics: a hundred columns have 100 KB
# A line of the text format: a comment, or a name, labels and a number. One line of anything else, and Prometheus would
# drop the whole page of the worker.
_LABELS = r'\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\}'
_LINES = re.compile(rf"(?:(?:# (?:HELP|TYPE) scorer_[^\n]*|scorer_[a-z_]+(?:{_LABELS})? -?[0-9][0-9.e+-]*)\n)*")

_log = logging.getLogger("bentoml.scorer")


def monitor_folder(directory: Path) -> Path:
    """The folder of these files, in that of the records."""
    return directory / FOLDER


def replace_file(path: Path, content: bytes) -> None:
    """Write a file, of which a reader sees the old or the new as a whole; it need not survive a power failure."""
    private.make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, private.FILE), "wb") as file:
        file.write(content)
    temporary.replace(path)


def watched_metrics(directory: Path) -> str:
    """The metrics of the last look; empty before the first, and where the file is not what the watch writes."""
    path = monitor_folder(directory) / METRICS
    try:
        found = path.stat()
    except OSError:
        return ""
    return _checked(path, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=1)
def _checked(path: Path, inode: int, written_ns: int) -> str:  # noqa: ARG001 - they tell one look from the next
    """Read a file once per look: checking 70 KB takes 1.8 ms, in which a worker answers nobody."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        _log.warning("%s cannot be read: %s", path, error)
        return ""
    if not _LINES.fullmatch(text):
        _log.warning("%s is not what the watch writes, so it is left out of /metrics", path)
        return ""
    return text
