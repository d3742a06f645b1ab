"""The processes that follow the service: the profiler and the watch.

Owns: which there are, and the order in which they end. Leaves to others: supervising one (`monitoring.profiles`).
"""

import sys

from monitoring.profiles.supervision import ChildProcess, ProfilerProcess

KILL_S = 1.0  # seconds that the watch has to end: a look that is killed is done again after the next start


class WatchProcess(ChildProcess):
    """The watch, which leaves nothing half-written when it is killed."""

    def __init__(self) -> None:
        super().__init__("watch", [sys.executable, "-m", "monitoring.watch.process"], "the next start looks again")


class Children:
    """Both of them, from `start` to `stop`, in the first worker of a service; in any other one nothing.

    The worker that takes the number of one that died takes its children too.

    Args:
        worker_index: of the worker, from 1; None or 0 where there is one process only.
        watch_every_s: seconds between two looks; 0 for no watch.
    """

    def __init__(self, worker_index: int | None, watch_every_s: int) -> None:
        first = worker_index in (None, 0, 1)
        self.profiler = ProfilerProcess() if first else None
        self.watch = WatchProcess() if first and watch_every_s else None

    def start(self) -> None:
        """Start them; return at once."""
        for child in (self.profiler, self.watch):
            if child:
                child.start()

    def stop(self, timeout_s: float) -> bool:
        """Let the profiler finish what is pending, for up to `timeout_s` seconds; return whether it did.

        Call it after the last row is logged.
        """
        if self.watch:
            self.watch.begin_to_stop()
        done = self.profiler.stop(timeout_s) if self.profiler else True
        if self.watch:
            self.watch.stop(KILL_S)
        return done
