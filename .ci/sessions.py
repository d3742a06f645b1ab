"""A script in a session of its own, which ends with this process: nothing that it started is left behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

ENDING_S = 20  # what a script has to put its things away after SIGTERM, before it is killed


def run_in_session(script: str, folder: Path, environment: Mapping[str, str], log: Path) -> int:
    """The exit code of a script of bash, whose output goes to `log`; it ends with this process, whatever ends that."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait()
        except BaseException:
            end_session(process)
            raise


def end_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started: first by SIGTERM, so that it can put its things away."""
    members = session(process.pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, number)
        deadline = time.monotonic() + ENDING_S
        while (members := session(process.pid)) and time.monotonic() < deadline:
            process.poll()
            time.sleep(0.05)
    process.wait()


def session(leader: int) -> list[int]:
    """The processes of a session that run, by Linux's /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in parentheses, may have anything in it.
            state, _, _, its_session = entry.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == leader and state not in "ZX":
                found.append(int(entry.parent.name))
    return found
