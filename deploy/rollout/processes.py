"""Finds and stops the processes of an instance, or of HAProxy, by a variable in their environment.

A process inherits the variable from the one that started it, so it finds the workers of a service whose first process
was killed, and what was started by a command that was killed before it could write down a process id. Ids alone do
neither, and are used again.
"""

import os
import signal
import time
from pathlib import Path

import psutil

MARKER = "SCORER_ROLLOUT_FOLDER"  # the absolute folder of what the process belongs to
POLL_S = 0.05
NOTHING = "it printed nothing"


def of(folder: Path) -> list[psutil.Process]:
    """The running processes that belong to a folder, the oldest first."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append((process.create_time(), process.pid, process))
        except (psutil.Error, OSError):
            continue
    return [process for *_, process in sorted(found, key=lambda one: one[:2])]


def stop(folder: Path, within_s: float, everyone: bool = False) -> bool:
    """SIGTERM to the oldest process, or to everyone, then SIGKILL after `within_s` seconds; return whether none was."""
    running = of(folder)
    if not running:
        return True
    for process in running if everyone else running[:1]:
        _send(process, signal.SIGTERM)
    deadline = time.monotonic() + within_s
    while running and time.monotonic() < deadline:
        time.sleep(POLL_S)
        running = of(folder)
    clean = not running
    while running:
        for process in running:
            _send(process, signal.SIGKILL)
        time.sleep(POLL_S)
        running = of(folder)
    return clean


def last_line(log: Path) -> str:
    """The last line of a log that says something, for a message."""
    try:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return NOTHING
    return next((line for line in reversed(lines) if line), NOTHING)


def _send(process: psutil.Process, number: int) -> None:
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return
