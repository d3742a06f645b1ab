"""Forks do what started processes do: output, exit code, input, environment, directory, and what `ps` shows of them."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.forks import SERVICE


@pytest.mark.parametrize("arguments", [["status", "--json"], ["erase", "-"], ["verify", "--anchor", "none"], ["what"]])
def test_a_program_prints_and_returns_what_it_does_when_it_is_started(tmp_path, arguments):
    environment = os.environ | {"SCORER_DIRECTORY": "records", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "monitoring", *arguments]
    started = subprocess.run(
        command, cwd=tmp_path, env=environment, input="nobody\n", capture_output=True, text=True, check=False
    )
    forked = SERVICE.run("monitoring", arguments, tmp_path, environment, "nobody\n")
    assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
    assert forked.stderr.replace("__main__.py", "") == started.stderr.replace("__main__.py", "")


def test_a_fork_shows_its_command_line_and_environment_and_how_it_ended(tmp_path):
    environment = os.environ | {"SCORER_DIRECTORY": str(tmp_path)}
    with tempfile.TemporaryFile() as output, Path(os.devnull).open() as nothing:
        process = SERVICE.start("monitoring", ["profile"], ROOT, environment, (nothing, output, output))
        try:
            shown = psutil.Process(process.pid)
            while "profile" not in shown.cmdline():
                assert process.poll() is None
            assert shown.cmdline()[1:4] == ["-m", "monitoring", "profile"]
            assert shown.environ()["SCORER_DIRECTORY"] == str(tmp_path)
            assert os.getsid(process.pid) == process.pid, "Ctrl-C reaches it"
        finally:
            process.kill()
        assert process.wait(30) == -signal.SIGKILL
