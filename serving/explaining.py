"""The process in which a worker explains, so that explaining takes neither its interpreter nor its share of the cores.

Owns: starting the process, restarting it after a fault, and ending it. Leaves to others: explanations
(`models.explanation`), what the process does (explaining_process), and whose turn it is (`serving.http.explain`).

The folder of the artifact and then each applicant are lines to the standard input of the process, and each answer is
a line from its standard output. A kill of the worker ends the process, as its input ends then.
"""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
from msgspec import Struct

from models.errors import Unready
from models.explanation import Explanation
from monitoring.records.cipher import LOG_KEY_VARIABLE
from monitoring.records.proof.seal_keys import SEAL_KEY_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
logger = logging.getLogger("bentoml.scorer")
KEYS = (LOG_KEY_VARIABLE, SEAL_KEY_VARIABLE)  # which explaining does not need


class Answer(Struct, frozen=True, omit_defaults=True):
    """One line from the process: an explanation, or the traceback of an unforeseen exception."""

    explanation: Explanation | None = None
    traceback: str = ""


class ExplainingProcess:
    """Explains in a process of its own, one applicant at a time; for one thread, but for `close`.

    Args:
        folder: of the artifact that is served.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._decode = msgspec.json.Decoder(Answer).decode

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process, which takes a second, unless it runs; return at once."""
        with self._lock:
            if self._closed:
                raise Unready("the service is stopping")
            if self._process is not None and self._process.poll() is None:
                return
            path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
            variables = {name: value for name, value in os.environ.items() if name not in KEYS}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serving.explaining_process"],
                env={**variables, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C reaches the service only, which then ends the process
            )
            if self._process.stdin is not None:
                self._process.stdin.write(msgspec.json.encode(str(self._folder)) + b"\n")

    def explain(self, applicant: Struct) -> Explanation:
        """The explanation of one applicant, a row of the schema.

        Raises:
            Unready: the process ended meanwhile; the next call starts another.
            RuntimeError: a fault of ours, with the traceback of the process.
        """
        try:
            line = self._ask(msgspec.json.encode(applicant))
        except (OSError, ValueError) as error:  # ValueError: its pipes have been closed
            self._end(error)
            raise Unready("the process that explains has ended; try again") from None
        answer = self._decode(line)
        if answer.explanation is None:
            raise RuntimeError(f"the process that explains says:\n{answer.traceback}")
        return answer.explanation

    def _ask(self, text: bytes) -> bytes:
        self.start()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise BrokenPipeError("it has not been started")
        process.stdin.write(text + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            process.kill()  # which does nothing, mostly
            raise BrokenPipeError(f"it ended with status {process.wait()}")
        return line

    def _end(self, error: Exception) -> None:
        if not self._closed:
            logger.error("the process that explains failed: %s; the next explanation starts another", error)
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End the process, whatever it does; an explanation that waits for it raises `Unready`."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.kill()
            process.wait()
