"""BentoML's process manager, circus: out of reach for everybody, and quick to replace a worker that has died.

BentoML gives it two TCP ports of 127.0.0.1. Whoever connects to one, asked for no name, may read the environment of the
workers (with the key of the decision log) and start programs as the user of the service. Nothing of this project
connects, so the ports become addresses inside the process. It looks for dead workers four times a second, BentoML every
ten seconds.

Touches a private part of BentoML, the class of the process manager, because there is no public way to name its
addresses. `tests/serving/test_process_control.py` fails when that part changes. docs/upstream.md has the report.
"""

import shutil
import tempfile
from typing import Any

CHECK_S = 0.25  # between two looks at the workers


def keep_processes_private(kill_after_s: float) -> None:
    """Have BentoML use a process manager without a port; for the process that starts the workers, before it does.

    Args:
        kill_after_s: seconds that a worker may take to end, after which it is killed.

    Its addresses exist inside this process, or in a folder that only this user may enter: for `bentoml serve --reload`,
    whose watcher is another process.
    """
    from bentoml._internal.utils import circus  # here, as circus adds a handler to the log when it is imported

    class PrivateArbiter(circus.Arbiter):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            places = {"endpoint": "inproc://control", "pubsub_endpoint": "inproc://events"}
            folder = tempfile.mkdtemp(prefix="credit-scorer-") if options.get("plugins") else None
            if folder:
                places = {name: f"ipc://{folder}/{name}" for name in places}
            super().__init__(*arguments, **options | places | {"check_delay": CHECK_S})
            for watcher in self.watchers:
                watcher.graceful_timeout = kill_after_s
            if folder:
                self.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)

    circus.Arbiter = PrivateArbiter  # type: ignore[misc]  # a class of another module
