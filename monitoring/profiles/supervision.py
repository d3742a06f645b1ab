"""The profiler's life as a child process of the service.

Owns: starting it, starting it again when it dies, asking it to finish. Leaves to others: what it does (profiler).

It is a process of its own so that profiling cannot slow or break an answer, and a child so that it knows when the
service is gone, however that went; it then finishes what is pending and leaves.
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

RESTART_S = (1.0, 60.0)  # seconds to wait before a restart: at first, and at most after doubling each time
STABLE_S = 60.0  # seconds; a profiler that has lived so long was well, and its death is a first one

_ROOT = Path(__file__).resolve().parents[2]
_log = logging.getLogger(__name__)


class ProfilerProcess:
    """The profiler's process, kept running from `start` to `stop`, in the working directory of this one."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, name="profiler-supervision", daemon=True)

    @property
    def pid(self) -> int | None:
        """The profiler's process id; None before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the profiler, and a daemon thread that watches it; returns at once."""
        self._spawn()
        self._watcher.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Let the profiler finish what is pending and wait for it; kill it, which loses nothing, after `timeout_s`.

        Call it after the last row is logged. Returns whether the profiler has left by itself.
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
            _log.warning("the profiler was not done after %g s; what is pending waits for the next start", timeout_s)
            process.kill()
            process.wait()
            return False
        return process.returncode == 0

    def _spawn(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
            before = block_signals()  # the child inherits that: a `stop` while it starts, some 2 s, is not its end
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "monitoring.profiles.process"],
                    env={**os.environ, "PYTHONPATH": path},
                    stdin=subprocess.PIPE,  # its `parent_pipe` (stopping)
                    start_new_session=True,  # Ctrl-C at the terminal is for the service, which then stops this one
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _watch(self) -> None:
        """Restart the profiler whenever it leaves, later each time unless it had been well."""
        delay_s = RESTART_S[0]
        while self._process and not self._stopping.is_set():
            started = time.monotonic()
            status = self._process.wait()
            if self._stopping.is_set():
                return
            if self._process.stdin:
                self._process.stdin.close()
            delay_s = RESTART_S[0] if time.monotonic() - started > STABLE_S else delay_s
            _log.error("the profiler left with status %d; starting it again in %g s", status, delay_s)
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, RESTART_S[1])
            try:
                self._spawn()
            except OSError as error:
                _log.error("the profiler cannot be started: %s", error)
