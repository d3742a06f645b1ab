"""When the profiler's process is to finish: a signal, or the end of its parent.

Owns: those two, and sleeping until one of them. Leaves to others: what finishing is (profiler).

The signals are blocked and waited for, not handled, so they never cut into a commit. A signal to a process goes to
any of its threads that does not block it, so `block_signals` comes before NumPy is imported and starts some.
"""

import os
import signal

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


def block_signals() -> set[signal.Signals]:
    """Keep the stop signals pending, in this thread and what it starts; gives the signals blocked before."""
    return {signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)}


def stopped(wait_s: float, parent: int | None) -> bool:
    """Sleep for `wait_s` seconds, or less when a stop signal comes; tell whether it is time to finish.

    Args:
        wait_s: seconds.
        parent: process id that this process was started by; None if its end is of no interest.
    """
    return signal.sigtimedwait(STOP_SIGNALS, wait_s) is not None or parent not in (None, os.getppid())
