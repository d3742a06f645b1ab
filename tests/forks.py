"""Programs whose imports take seconds, run in forks of a process that has imported already.

Of the 9 s of processor time of `python -m train` on a small table, 6 are imports and what is done once in a process;
of the 5 s of a start of the service, in four processes, 4 are. A `Forks` has that done once in a run of pytest, by a
fork server that all workers of pytest share (`tests.fork_server`). Each run is a process of its own with its own
directory, environment, output and exit code, and runs the same `__main__`. What a test says about starting, about
imports or about the command line of Python needs real starts: `subprocess`.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 500
# Processes that a program starts by itself, and how many each of these starts (`tests.spares`): those of a bento are
# `bentoml build` and `bentoml import`, or, where a model is missing, `bentoml import` and `bentoml models import`.
SPARES = {"deploy.packing": (0, 0)}
# All workers of pytest-xdist have one number of the run.
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
PLACE = " " * 10_000  # for command line and environment of a fork, where `ps` and tests look for them


class Forked:
    """A process that the fork server has started; as much of `subprocess.Popen` as the tests use."""

    def __init__(self, replies: socket.socket, program: str) -> None:
        self._replies, self._program = replies, program
        self.returncode: int | None = None
        self.pid = self._reply(TIMEOUT_S)

    def _reply(self, timeout_s: float | None) -> int:
        if not select.select([self._replies], [], [], timeout_s)[0]:
            raise subprocess.TimeoutExpired(self._program, timeout_s or 0)
        reply = self._replies.recv(100)
        assert reply, f"{self._program} could not be imported"
        return int(reply)

    def poll(self) -> int | None:
        """The exit code, or None while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        if self.returncode is None:
            self.returncode = self._reply(timeout)
            self._replies.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """A fork server, which imports when the first process is asked for.

    Args:
        name: of the server.
        imports: what is imported once, in the order in which the programs do it; of a `module:function`, the function
            is called too, and `in_fork` of that module, where there is one, in each fork.
    """

    def __init__(self, name: str, imports: Sequence[str]) -> None:
        self._name, self._imports = name, imports
        self._server: socket.socket | None = None

    def start(
        self,
        program: str,
        arguments: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        files: Sequence[IO[str] | IO[bytes] | int],
        spares: Sequence[int] = (),
    ) -> Forked:
        """Begin `python -m program *arguments` in that directory and environment, in a session of its own.

        Args:
            program: the module.
            arguments: of its command line.
            cwd: the directory.
            env: the whole environment.
            files: standard input, output and errors.
            spares: for each process that the program starts by itself, how many that one starts (`tests.spares`).
        """
        request = {"program": program, "arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            descriptors = [file if isinstance(file, int) else file.fileno() for file in (*files, theirs)]
            text = json.dumps(request | {"spares": list(spares)}).encode()
            socket.send_fds(self.connect(), [text], descriptors)
        return Forked(ours, program)

    def begin(
        self, program: str, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], given: str = ""
    ) -> Callable[[], subprocess.CompletedProcess[str]]:
        """Begin it with an input; what is returned waits for the end, and returns exit code and output."""
        files = [tempfile.TemporaryFile("w+") for _ in range(3)]  # noqa: SIM115 - closed at the end
        files[0].write(given)
        files[0].seek(0)
        process = self.start(program, arguments, cwd, env, files, SPARES.get(program, ()))

        def end() -> subprocess.CompletedProcess[str]:
            try:
                code = process.wait(TIMEOUT_S)
                return subprocess.CompletedProcess([program, *arguments], code, *map(_read, files[1:]))
            finally:
                process.kill()
                for file in files:
                    file.close()

        return end

    def run(
        self, program: str, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """What `python -m program *arguments` prints and returns in that directory and environment, given an input."""
        return self.begin(program, arguments, cwd, env, given)()

    def connect(self) -> socket.socket:
        """The connection to the server, which is started where no worker of pytest has started it."""
        if self._server is None:
            self._server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            address = f"\0credit-scorer-tests-{RUN}-{self._name}"  # abstract: not a file, and gone with its server
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
                try:
                    listening.bind(address)
                except OSError:  # another worker has it
                    self._server.connect(address)
                    atexit.register(self._server.close)
                    return self._server
                listening.listen()
                self._server.connect(address)  # which keeps the server alive, to the end of this process
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.fork_server", *self._imports, PLACE],
                    cwd=ROOT,
                    env=os.environ | {"PYTHONPATH": str(ROOT), "PLACE": PLACE},
                    stdin=listening,
                    stdout=subprocess.DEVNULL,
                )
                atexit.register(self._end, process)
        return self._server

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Disconnect; the server ends with the last worker that does."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


TRAIN = Forks(
    "train",
    [
        *("train.pipeline", "train.tracking", "mlflow.store.tracking.sqlalchemy_workspace_store"),
        *("mlflow.store.model_registry.sqlalchemy_workspace_store", "alembic.config", "sqlalchemy.dialects.sqlite"),
        *("train.check", "train.checks.data_report", "pandera.pandas", "bentoml.models"),
        *("train.fit", "train.export", "train.evaluation.evidence", "train.evaluation.figures", "train.gate"),
        *("train.publish", "train.registry", "train.tuning.search", "tests.train.warm_up:warm_up"),
    ],
)
DVC = Forks(
    "dvc",
    [
        *("dvc.cli.parser", "dvc.repo", "dvc.dvcfile", "dvc.repo.reproduce", "dvc.repo.plots", "dvc.repo.metrics"),
        *("dvc.repo.experiments.queue.workspace", "scmrepo.git", "dvc_s3", "networkx"),
        *("dvc.utils.strictyaml", "ruamel.yaml", "dvc.repo.experiments.run", "dvc.repo.experiments.show", "pyparsing"),
    ],
)
SERVICE = Forks(
    "service",
    [
        *("bentoml_cli.cli", "_bentoml_impl.worker.service", "tests.service.warm_up:warm_up"),
        *("monitoring.profiles.process", "monitoring.watch.process", "monitoring.watch.look"),
        *("serving.explaining_process", "monitoring.__main__"),
    ],
)
