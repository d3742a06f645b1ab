"""The folders of a start that are not the records': each is tried before there are workers, which would be restarted.

Owns as well that two services of one BENTOML_HOME do not count in one folder, which BentoML empties at each start.
Leaves to others: the decision log's folder (`monitoring.records.log_place.check_place`; profiles and audits may
fail, and scoring goes on), and BENTOML_HOME where it cannot be made at all, which BentoML says while it looks for the
model.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml.exceptions import BentoMLException

from serving.announcement import SHARED_FOLDER


def require_folders() -> None:
    """Raise `BentoMLException` for the first folder that cannot be written."""
    _require_temporary()
    # BentoML empties the folder of the metrics, or takes a temporary one if it cannot; it uses an empty one untried.
    metrics = Path(BentoMLContainer.prometheus_multiproc_dir.get())
    if metrics.is_dir() and not any(metrics.iterdir()) and not os.access(metrics, os.W_OK | os.X_OK):
        raise BentoMLException(
            f"the folder for the metrics of the workers, {metrics}, cannot be written by user {os.geteuid()}; "
            "give it to this user, or set BENTOML_HOME to another folder"
        )


def claim_metrics_folder() -> None:
    """Take a temporary folder for the metrics of the workers where another service has that of BENTOML_HOME.

    For the process that starts the workers, before BentoML empties the folder; does nothing in a worker, which has its
    name in a variable. The claim is a lock on BENTOML_HOME, which ends with the process however it ends. Where a disk
    knows no locks, BentoML's way stays.
    """
    if SHARED_FOLDER in os.environ:
        return
    try:
        home = os.open(BentoMLContainer.bentoml_home.get(), os.O_RDONLY)  # open, and so locked, until the process ends
        fcntl.flock(home, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(home)
        _require_temporary()
        folder = tempfile.mkdtemp(prefix="credit-scorer-metrics-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        BentoMLContainer.prometheus_multiproc_dir.set(folder)
    except OSError:
        return


def _require_temporary() -> None:
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise BentoMLException(f"{error.strerror}; name a folder that can be written in TMPDIR") from None
