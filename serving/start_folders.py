"""The folders that a start writes into: each is tried before there are workers, which would fail and be started again.

Leaves to others: the decision log's own folder (`monitoring.records.decision_log.check_place`), and BENTOML_HOME where
it cannot be made at all, which BentoML itself says while it looks for the model.
"""

import os
import tempfile
from pathlib import Path

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml.exceptions import BentoMLException

RECORDS = ("decisions", "audits")  # below the directory of the records; without profiles the service goes on


def require_folders(directory: Path) -> None:
    """Raise `BentoMLException` for the first folder that cannot be written.

    Args:
        directory: of the records.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise BentoMLException(f"{error.strerror}; name a folder that can be written in TMPDIR") from None
    # BentoML empties the folder of the metrics, or takes a temporary one if it cannot; it uses an empty one untried.
    metrics = Path(BentoMLContainer.prometheus_multiproc_dir.get())
    if metrics.is_dir() and not any(metrics.iterdir()):
        _require(metrics, "the metrics of the workers", "give it to this user, or set BENTOML_HOME to another folder")
    for name in RECORDS:
        if (directory / name).exists():
            _require(directory / name, "records", "give it to this user, or set SCORER_DIRECTORY to another folder")


def _require(folder: Path, held: str, remedy: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        user = os.geteuid()
        raise BentoMLException(f"the folder for {held}, {folder}, cannot be written by user {user}; {remedy}")
