"""locust as processes: one, or a master and its workers; started, followed, and ended whatever happens.

Owns their command lines and their end. Leaves what they do to `loadtests.locustfile`. Their logs go to a file, their
progress comes through a pipe: when this program is killed, the pipe breaks and the load ends.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from loadtests.counting.outcome import Outcome, decode
from loadtests.options import KEY, Options
from loadtests.problems import LoadTestError
from loadtests.shapes import BREAKPOINT

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
USER_CLASSES = {
    "single": "SingleUser",
    "batch": "BatchUser",
    "v2": "V2User",
    "grpc": "GrpcUser",
    "explain": "ExplainUser",
}
STOP_S = 45  # for running requests at the end: beyond the 40 s after which a user gives up
JOIN_S = 60  # for workers to join
SHOWN_LINES = 15  # of the log, when locust fails


def run(options: Options, classes: Sequence[str], folder: Path, log: Path, say: Callable[[str], None]) -> Outcome:
    """Put the load on the service and return its outcome.

    Args:
        options: of the run.
        classes: user classes that take part.
        folder: for the outcome and locust's own page.
        log: what locust says.
        say: takes a line of progress.
    """
    reader, writer = os.pipe()
    outcome = folder / "outcome.json"
    more = ["--outcome", str(outcome), "--progress-fd", str(writer), "--html", str(folder / "locust.html")]
    more += ["--json-file", str(folder / "locust")]  # or it prints tables
    if options.distributed:
        workers = options.processes + options.remote
        more += ["--master", "--master-bind-host", options.master_host, "--master-bind-port", str(options.master_port)]
        more += ["--expect-workers", str(workers), "--expect-workers-max-wait", str(JOIN_S)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output, _ended(started := []):
        first = _start([*_shared(options), *more, *(USER_CLASSES[name] for name in classes)], options, output, writer)
        started.append(first)
        os.close(writer)
        join = ["--worker", "--master-host", "127.0.0.1", "--master-port", str(options.master_port)]
        for _ in range(options.processes if options.distributed else 0):
            arguments = [*join, *(USER_CLASSES[name] for name in classes)]
            started.append(_start(arguments, options, output))
        with os.fdopen(reader, encoding="utf-8") as lines:
            for text in lines:
                say(text.rstrip("\n"))
        code = first.wait()
    if code != 0 or not outcome.exists():
        end = "\n".join(f"  {line}" for line in log.read_text(encoding="utf-8").splitlines()[-SHOWN_LINES:])
        raise LoadTestError(f"locust ended with exit code {code} and no outcome; {log} ends with\n{end}")
    found = decode(outcome.read_bytes())
    outcome.unlink()
    (folder / "locust.json").unlink(missing_ok=True)
    return found


def require_free(host: str, port: int) -> None:
    """Raise `LoadTestError` if the master could not listen there."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        remedy = "end the load test that has it, or give MASTER_PORT= another"
        raise LoadTestError(f"locust's master cannot listen at {host}:{port} ({error.strerror}); {remedy}") from None


def _shared(options: Options) -> list[str]:
    """What the process that decides on the users is told."""
    return [
        *("--headless", "--only-summary", "--exit-code-on-error", "0"),
        *("--host", options.target, "--grpc-target", options.grpc_target),
        *("--users", str(options.users), "--run-time", f"{options.run_s:.0f}s", "--stop-timeout", str(STOP_S)),
        *("--shape", options.shape, "--dataset", str(options.dataset)),
        *(("--slo", str(options.slo)) if options.shape == BREAKPOINT else ()),
    ]


def _start(
    arguments: Sequence[str], options: Options, output: IO[str], pipe: int | None = None
) -> subprocess.Popen[bytes]:
    """A process of locust; in a session of its own, so that Ctrl-C reaches it through this program alone."""
    return subprocess.Popen(  # noqa: S603 - this interpreter, with checked options
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--loglevel", "INFO", *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")} | {KEY: options.key},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=() if pipe is None else (pipe,),
        start_new_session=True,
    )


@contextmanager
def _ended(processes: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Whatever happens, the processes end: by themselves, by SIGTERM, or in the end by SIGKILL."""
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in processes:
                if process.poll() is None:
                    process.send_signal(number)
            for process in processes:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    continue
