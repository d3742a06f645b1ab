"""Runs the profiler as a child process of the service.

Owns: starting the child, restarting it when it dies, asking it to stop. Leaves to others: what it does (process).

A separate process, so that profiling cannot slow or break a response; a child, so that it notices when the service is
gone for any reason. It then profiles what is pending and exits.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from monitoring.profiles.stopping import block_signals

RESTART_S = (1.0, 60.0)  # delay before a restart in seconds: the first one, and the limit of doubling it each time
STABLE_S = 60.0  # seconds; after a profiler has run this long, the delay starts at the first one again

_ROOT = Path(__file__).resolve().parents[2]
_log = logging.getLogger(__name__)


class ProfilerProcess:
    """Keeps a profiler process running from `start` to `stop`, in the working directory of this process."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, name="profiler-supervision", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id of the profiler; None before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the profiler and a daemon thread that watches it; return at once."""
        self._spawn()
        self._watcher.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Let the profiler finish what is pending; after `timeout_s` seconds kill it, which loses no row.

        Call it after the last row is logged. Return whether the profiler exited by itself.
        """
        with self._lock:
            self._stopping.set()
        process = self._process
        if process is None:
            return True
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _log.warning("killed the profiler after %g s; the next start profiles the pending rows", timeout_s)
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
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "monitoring.profiles.process"],
                    env={**os.environ, "PYTHONPATH": path},
                    stdin=subprocess.PIPE,  # the parent pipe (stopping)
                    start_new_session=True,  # Ctrl-C reaches the service only, which then stops the child
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _watch(self) -> None:
        """Restart the profiler whenever it exits, with a longer delay each time unless it had been stable."""
        delay_s = RESTART_S[0]
        while self._process and not self._stopping.is_set():
            started = time.monotonic()
            status = self._process.wait()
            if self._stopping.is_set():
                return
            if self._process.stdin:
                self._process.stdin.close()
            delay_s = RESTART_S[0] if time.monotonic() - started > STABLE_S else delay_s
            _log.error("the profiler exited with status %d; restarting it in %g s", status, delay_s)
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, RESTART_S[1])
            try:
                self._spawn()
            except OSError as error:
                _log.error("cannot start the profiler: %s", error)
