"""What the tests of engines share: the command in an engine's environment, and what to kill."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.batch.conftest import Batch
from tests.batch.test_runs import table, whole  # noqa: F401 - fixtures, which pytest finds here
from tests.conftest import ROOT

START_S = 600
PART_ROWS = 10  # of a table of 3,000 rows: parts for long enough to kill what scores them


class On(Batch):
    """`python -m batch score --engine …`, with the Python of that engine."""

    engine: str

    def command(self, source, out, *more):
        """The command, in parts."""
        asked = [*super().command(source, out, *more)[1:], "--part-rows", str(PART_ROWS), "--engine", self.engine]
        return [str(ROOT / f".venv-{self.engine}/bin/python"), *asked]


@pytest.fixture
def on(policy_model, tmp_path, request):
    """The command on the engine that the module names; bytecode is kept, without which a start takes twice as long."""
    command = On(policy_model, tmp_path)
    command.engine = request.module.ENGINE
    command.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    assert Path(command.command("", "")[0]).exists(), f"make {command.engine}-environment"
    return command


def until(true):
    """Wait until it is, for a limited time: the first start of an engine takes a minute where others are at work."""
    deadline = time.monotonic() + START_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def parts(out):
    """How many parts are done."""
    return len([*out.glob("part-*.parquet")])


def below(pid, *words):
    """Processes below one whose command has one of these words."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if any(word in " ".join(process.cmdline()) for word in words):
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill_one(pid, *words):
    """Kill a process that scores, as soon as there is one."""
    until(lambda: below(pid, *words))
    below(pid, *words)[0].kill()


def kill_driver(process):
    """Kill the process that a user has started, and wait until what it has started is gone."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


class Apart:
    """A program in a group of its own, whose words go to a file."""

    def __init__(self, command, log, **variables):
        self.log = log
        environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
        }
        with log.open("w") as said:
            self.process = subprocess.Popen(
                command, stdout=said, stderr=said, cwd=log.parent, env=environment | variables, start_new_session=True
            )

    def wait_for(self, words):
        """Wait until it has said that."""
        until(lambda: words in self.log.read_text() or self.process.poll() is not None)
        assert words in self.log.read_text(), self.log.read_text()[-2000:]

    def stop(self):
        """End it, and what it has started."""
        children = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        for one in children:
            one.kill()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
