"""The folders of a start that are not the records': each is tried before there are workers, which would be restarted.

Leaves to others: the decision log's folder (`monitoring.records.decision_log.check_place`; profiles and audits may
fail, and scoring goes on), and BENTOML_HOME where it cannot be made at all, which BentoML says while it looks for the
model.
"""

import os
import tempfile
from pathlib import Path

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml.exceptions import BentoMLException


def require_folders() -> None:
    """Raise `BentoMLException` for the first folder that cannot be written."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise BentoMLException(f"{error.strerror}; name a folder that can be written in TMPDIR") from None
    # BentoML empties the folder of the metrics, or takes a temporary one if it cannot; it uses an empty one untried.
    metrics = Path(BentoMLContainer.prometheus_multiproc_dir.get())
    if metrics.is_dir() and not any(metrics.iterdir()) and not os.access(metrics, os.W_OK | os.X_OK):
        raise BentoMLException(
            f"the folder for the metrics of the workers, {metrics}, cannot be written by user {os.geteuid()}; "
            "give it to this user, or set BENTOML_HOME to another folder"
        )
