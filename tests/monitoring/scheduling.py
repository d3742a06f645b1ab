"""Processes that run while nobody wants the cores, on a machine that runs tests and always wants them."""

import contextlib
import os
import time
from pathlib import Path


def hurry(pid: int, within_s: float = 60.0) -> None:
    """Wait until a process has begun to yield the cores, and have it run like any other from here on."""
    deadline = time.monotonic() + within_s
    while os.sched_getscheduler(pid) != os.SCHED_IDLE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.1)  # in which it yields its session too
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
    with contextlib.suppress(OSError):  # another kernel, or no right to
        Path(f"/proc/{pid}/autogroup").write_text("0")
