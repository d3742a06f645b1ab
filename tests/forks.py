"""Programs whose imports take seconds, run in forks of one process that has imported already.

Of the 9 s of processor time of `python -m train` on a small table, 6 are imports and what is done once in a process. A
`Forks` does that once in a worker of pytest, and forks for each run, which is a process of its own with its own
directory, environment, output and exit code, and runs the same `__main__`. What a test says about starting, about
signals, or about several processes at once needs real starts: `subprocess`.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 500


class Forks:
    """One program, imported when it is first run, until this process ends.

    Args:
        program: the module that `python -m` would run.
        imports: what is imported once, in the order in which the program does it; of a `module:function`, the function
            is called too.
    """

    def __init__(self, program: str, imports: Sequence[str]) -> None:
        self._program, self._imports = program, imports
        self._process: subprocess.Popen[str] | None = None

    def run(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """What `python -m program *arguments` prints and returns in that directory and environment."""
        process = self._started()
        assert process.stdin
        assert process.stdout
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            files = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (output, errors)]
            request = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "files": files}
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], TIMEOUT_S)[0]:
                process.kill()
            code = process.stdout.readline()
            assert code, f"{self._program} took more than {TIMEOUT_S} s, or could not be imported"
            return subprocess.CompletedProcess([self._program, *arguments], int(code), _read(output), _read(errors))

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [sys.executable, "-m", "tests.forks", self._program, *self._imports]
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            atexit.register(self._process.communicate)  # the end of its input is the end of the process
        return self._process


TRAIN = Forks(
    "train",
    [
        *("train.pipeline", "train.tracking", "mlflow.store.tracking.sqlalchemy_workspace_store"),
        *("mlflow.store.model_registry.sqlalchemy_workspace_store", "alembic.config", "sqlalchemy.dialects.sqlite"),
        *("train.check", "train.checks.data_report", "pandera.pandas", "bentoml.models"),
        *("train.fit", "train.export", "train.evaluation.evidence", "train.evaluation.figures", "train.gate"),
        *("train.publish", "train.registry", "tests.train.warm_up:warm_up"),
    ],
)
DVC = Forks(
    "dvc",
    [
        *("dvc.cli.parser", "dvc.repo", "dvc.dvcfile", "dvc.repo.reproduce", "dvc.repo.plots", "dvc.repo.metrics"),
        *("dvc.repo.experiments.queue.workspace", "scmrepo.git", "dvc_s3", "networkx"),
    ],
)


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _serve(program: str, imports: Sequence[str]) -> None:
    """Fork for each request on standard input, and answer with the exit code."""
    for name in imports:
        module, _, function = name.partition(":")
        imported = importlib.import_module(module)
        if function:
            getattr(imported, function)()
    assert threading.active_count() == 1, "a fork would lack the other threads"
    gc.collect()
    gc.freeze()  # the garbage collector of a fork does not touch, and so copy, what they share
    while request := sys.stdin.readline():
        child = os.fork()
        if not child:
            os._exit(_run(program, **json.loads(request)))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(program: str, arguments: list[str], cwd: str, env: dict[str, str], files: list[str]) -> int:
    """Be `python -m program *arguments` in `cwd`, with that environment and these files for what is printed."""
    for descriptor, name in enumerate([os.devnull, *files]):
        opened = os.open(name, os.O_RDWR)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0], sys.argv = cwd, [program, *arguments]
    code: object = 0
    try:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()  # but not the rest of a normal end, where libraries wait for threads that no fork has
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2:])
