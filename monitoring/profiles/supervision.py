"""Runs the profiler, and whatever else follows the service, as a child process of it.

Owns: starting a child, restarting it when it dies, asking it to stop. Leaves to others: what it does (process), and
which children there are (`monitoring.watch.children`).

A separate process, so that its work cannot slow or break a response; a child, so that it notices when the service is
gone for any reason. The profiler then profiles what is pending and exits.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from monitoring.profiles.stopping import block_signals

RESTART_S = (1.0, 60.0)  # delay before a restart in seconds: the first one, and the limit of doubling it each time
STABLE_S = 60.0  # seconds; after a child has run this long, the delay starts at the first one again

_ROOT = Path(__file__).resolve().parents[2]
_log = logging.getLogger(__name__)


class ChildProcess:
    """Keeps a child process running from `start` to `stop`, in the working directory of this process.

    Args:
        name: of the child, in log lines.
        command: of the child, which ends when its standard input does.
        killed: what follows when it is killed, for the log.
    """

    def __init__(self, name: str, command: Sequence[str], killed: str) -> None:
        self._name, self._command, self._killed = name, command, killed
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, name=f"{name}-supervision", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id of the child; None before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the child and a daemon thread that watches it; return at once."""
        self._spawn()
        self._watcher.start()

    def begin_to_stop(self) -> None:
        """Ask the child to end; return at once."""
        with self._lock:
            self._stopping.set()
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Let the child finish what it does; after `timeout_s` seconds kill it, which loses no row.

        Call it after the last row is logged. Return whether the child exited by itself.
        """
        self.begin_to_stop()
        process = self._process
        if process is None:
            return True
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _log.warning("killed the %s after %g s; %s", self._name, timeout_s, self._killed)
            process.kill()
            process.wait()
            return False
        return process.returncode == 0

    def _spawn(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
            before = block_signals()  # the child inherits this: a signal during its 2 s of starting does not end it
            try:
                self._process = subprocess.Popen(  # noqa: S603 - a module of ours
                    self._command,
                    env={**os.environ, "PYTHONPATH": path},
                    stdin=subprocess.PIPE,  # the parent pipe (stopping)
                    start_new_session=True,  # Ctrl-C reaches the service only, which then stops the child
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _watch(self) -> None:
        """Restart the child whenever it exits, with a longer delay each time unless it had been stable."""
        delay_s = RESTART_S[0]
        while self._process and not self._stopping.is_set():
            started = time.monotonic()
            status = self._process.wait()
            if self._stopping.is_set():
                return
            if self._process.stdin:
                self._process.stdin.close()
            delay_s = RESTART_S[0] if time.monotonic() - started > STABLE_S else delay_s
            _log.error("the %s exited with status %d; restarting it in %g s", self._name, status, delay_s)
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, RESTART_S[1])
            try:
                self._spawn()
            except OSError as error:
                _log.error("cannot start the %s: %s", self._name, error)


class ProfilerProcess(ChildProcess):
    """The profiler, which finishes what is pending when it is asked to stop."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "monitoring.profiles.process"]
        super().__init__("profiler", command, "the next start profiles the pending rows")
