"""When the profiler process stops: on a signal or, as a child of the service, at the end of its standard input.

Owns: waiting for either. Leaves to others: what is finished before exit (profiler).

A child ignores the signals. BentoML sends SIGTERM to every process below a worker while the worker still answers, and
rows logged after that must be profiled too. The service closes the pipe after it has logged its last row; the kernel
closes it if the service is killed.

Without a parent, the signals are blocked and waited for instead of handled, so they never interrupt a commit. The
kernel delivers a signal to any thread that does not block it, so call `block_signals` before importing NumPy, which
starts threads.
"""

import select
import signal
from typing import IO

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


def block_signals() -> set[signal.Signals]:
    """Keep the stop signals pending in this thread and in all that it starts; return the signals blocked before."""
    return {signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)}


def wait_for_stop(wait_s: float, parent_pipe: IO[str] | None) -> bool:
    """Sleep for up to `wait_s` seconds; return whether it is time to stop.

    Args:
        wait_s: seconds, 0 or more.
        parent_pipe: read end of a pipe that nobody writes to; its end means stop. None to stop on a signal.
    """
    if parent_pipe is None:
        return signal.sigtimedwait(STOP_SIGNALS, wait_s) is not None
    return bool(select.select([parent_pipe], [], [], wait_s)[0])
