"""When the profiler's process is to finish: a signal, or, as a child of the service, the end of its standard input.

Owns: those two, and sleeping until one of them. Leaves to others: what finishing is (profiler).

A child ignores signals: BentoML sends SIGTERM to all that is below a worker while that still answers, and rows that
are logged after it must be profiled too. The service closes the pipe when it has logged its last row, and the kernel
closes it when the service is killed.

Otherwise the signals are blocked and waited for, not handled, so they never cut into a commit. A signal to a process
goes to any of its threads that does not block it, so `block_signals` comes before NumPy is imported and starts some.
"""

import select
import signal
from typing import IO

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


def block_signals() -> set[signal.Signals]:
    """Keep the stop signals pending, in this thread and what it starts; gives the signals blocked before."""
    return {signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)}


def wait_for_stop(wait_s: float, parent_pipe: IO[str] | None) -> bool:
    """Sleep for `wait_s` seconds, or less when it is time to finish; tell whether it is.

    Args:
        wait_s: seconds.
        parent_pipe: the read end of a pipe that nobody writes to; its end means stop. None to stop on a signal.
    """
    if parent_pipe is None:
        return signal.sigtimedwait(STOP_SIGNALS, wait_s) is not None
    return bool(select.select([parent_pipe], [], [], wait_s)[0])
