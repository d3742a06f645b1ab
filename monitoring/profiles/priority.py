"""How a process yields the cores to the service.

Owns: the scheduler's policy, the niceness, and that of the session. Leaves to others: which process yields how much.

Linux shares the cores between sessions first (autogroup), unless a container or systemd has put the processes into
control groups of their own. A process in a session of its own would get the share of a whole session, however low its
priority is, so the session gets the same niceness.
"""

import os
from contextlib import suppress
from pathlib import Path

LEAST = 19  # niceness that yields most
SESSION = Path("/proc/self/autogroup")


def run_when_idle() -> None:
    """Run only while the cores are idle.

    With `nice` alone the profiler took a core from the worker for milliseconds at a time, which set the service's p99.
    """
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        _yield_session(LEAST)
    else:
        os.nice(LEAST)


def run_behind(niceness: int) -> None:
    """Run with this niceness, and the session too if it is this process's own."""
    os.nice(niceness)
    _yield_session(niceness)


def _yield_session(niceness: int) -> None:
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # another kernel, or one without autogroups
            SESSION.write_text(str(niceness))
