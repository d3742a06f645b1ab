"""What make says: a line for what takes long, its log where it failed, and no recipe."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT, START_S, apart, free_port

STEP = [str(ROOT / ".ci/step"), "making", "tea"]
WORKS = ["bash", "-c", "echo result; echo boiling >&2; echo >&2; echo 'tea   is made' >&2"]
FAILS = ["bash", "-c", "echo result; echo 'WARNING: hot' >&2; echo 'ERROR: no water' >&2; exit 7"]
MAKE_VARIABLES = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # of the make that runs the tests, if one does


def outside_make() -> dict[str, str]:
    """The environment without that of a make around the tests."""
    return {name: value for name, value in os.environ.items() if name not in MAKE_VARIABLES}


def stepped(log: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """A step, its standard error no terminal."""
    return subprocess.run([*STEP, str(log), *command], capture_output=True, text=True, check=False)


def test_a_step_is_one_line_with_the_last_that_was_said_and_leaves_standard_output_alone(tmp_path):
    log = tmp_path / "var/log/tea.log"
    done = stepped(log, WORKS)
    assert (done.returncode, done.stdout) == (0, "result\n")
    assert re.fullmatch(r"making       tea \.\.\. tea is made, \d s\n", done.stderr)
    assert log.read_text() == "boiling\n\ntea   is made\n"


def test_a_step_that_fails_keeps_its_code_and_shows_the_end_of_its_log_and_where_it_is(tmp_path):
    log = tmp_path / "tea.log"
    done = stepped(log, FAILS)
    assert (done.returncode, done.stdout) == (7, "result\n")
    assert re.fullmatch(
        rf"making       tea \.\.\. failed after \d s\n  ERROR: no water\nall of it is in {log}\n", done.stderr
    )
    assert log.read_text() == "WARNING: hot\nERROR: no water\n"


def test_a_step_whose_log_cannot_be_written_does_nothing(tmp_path):
    (tmp_path / "log").write_text("in the way")
    done = stepped(tmp_path / "log/tea.log", ["touch", str(tmp_path / "done")])
    assert done.returncode != 0
    assert str(tmp_path / "log") in done.stderr
    assert not (tmp_path / "done").exists()


def test_on_a_terminal_a_step_shows_what_is_going_on_and_ends_with_the_same_line(tmp_path):
    ours, theirs = pty.openpty()
    slowly = ["bash", "-c", "echo boiling >&2; sleep 2; echo 'tea is made' >&2"]
    with subprocess.Popen([*STEP, str(tmp_path / "log"), *slowly], stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 1024)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"\?7lmaking       tea \.\.\. \d s  boiling\x1b", shown)
    assert re.fullmatch(rb"making       tea \.\.\. tea is made, \d s\r\n", shown.rpartition(b"\r\x1b[K")[2])


def test_ctrl_c_reaches_the_command_of_a_step_which_ends_as_it_likes(tmp_path):
    script = "import sys, time\ntry:\n    print('up', file=sys.stderr, flush=True)\n    time.sleep(60)\n"
    script += "except KeyboardInterrupt:\n    sys.exit('put away')\n"
    log = tmp_path / "log"
    process = subprocess.Popen(
        [*STEP, str(log), sys.executable, "-c", script],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - there are no threads here
    )
    while "up" not in (log.read_text() if log.exists() else ""):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "put away" in said


@pytest.fixture
def checkout(tmp_path):
    """What `make environment` reads, in a folder of its own, with pip cut off from every index."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (".ci", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`make …` there."""
    command = ["make", f"PYTHON={sys.executable}", *arguments]
    environment = outside_make() | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull} | variables
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def failed(checkout: Path) -> list[str]:
    """What `make environment` says there, line by line, when it fails."""
    done = make(checkout, "environment")
    assert done.returncode != 0
    assert done.stdout == ""
    assert list(checkout.glob(".venv/installed-*")) == []
    first, *more, where, last = done.stderr.splitlines()
    assert re.fullmatch(r"environment  making \.venv \.\.\. failed after \d+ s", first)
    assert where == "all of it is in var/log/environment.log"
    assert last.startswith("make: *** ")
    assert (
        more == [f"  {line}" for line in (checkout / "var/log/environment.log").read_text().splitlines()][-len(more) :]
    )
    return more


def test_a_package_that_pip_cannot_get_is_named_and_the_log_is_kept(checkout):
    venv.create(checkout / ".venv", symlinks=True)
    (site,) = checkout.glob(".venv/lib/python*/site-packages")
    (site / "pip").symlink_to(Path(sysconfig.get_path("purelib")) / "pip")  # to install one takes five times as long
    assert "ERROR: No matching distribution found for pip==" in "\n".join(failed(checkout))


def test_a_place_where_no_environment_can_be_made_is_named(checkout):
    (checkout / ".venv").write_text("in the way")
    assert ".venv" in "\n".join(failed(checkout))


@pytest.mark.parametrize("target", ["help", "environment"])
def test_a_target_shows_no_recipe(target):
    done = make(ROOT, target)
    assert (done.returncode, done.stderr) == (0, "")
    assert (target == "environment") == (done.stdout == "")
    assert "awk" not in done.stdout


def test_serving_again_says_that_the_model_is_there_and_ends_with_the_request_to_try(trained, tmp_path):
    port, grpc_port = free_port(), free_port()
    arguments = [f"PORT={port}", f"GRPC_PORT={grpc_port}", f"LOGS={tmp_path}/log", f"PYTHON={sys.executable}"]
    log = tmp_path / "said"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "serve", *arguments],
            cwd=ROOT,
            env=apart(trained, tmp_path) | dict.fromkeys(MAKE_VARIABLES, ""),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_S
        while " is ready\n" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
    training, serving, *more = log.read_text().splitlines()
    assert re.fullmatch(
        rf"training     german_credit with 001_production \.\.\. model {trained.tag} is in the store, \d+ s", training
    )
    assert serving == f"serving      {trained.tag} with WORKERS=1 ..."
    assert f"credit-scorer  {trained.tag} is ready" in more
    assert f"  page     http://127.0.0.1:{port}" in more


DVC = """#!/bin/sh
mkdir busy || exit 1
echo begun
read -r word
rmdir busy
"""


def test_a_second_make_repro_waits_for_the_first(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dvc").write_text(DVC)
    (tmp_path / "bin/dvc").chmod(0o755)
    (tmp_path / "bin/python").symlink_to(sys.executable)

    def begin():
        return subprocess.Popen(
            ["make", "--old-file=environment", f"BIN={tmp_path}/bin", "repro"],
            cwd=tmp_path,
            env=outside_make(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    with begin() as first:
        assert first.stdout.readline() == "begun\n"
        with begin() as second:
            with pytest.raises(subprocess.TimeoutExpired):  # where nothing makes it wait, it fails at once
                second.wait(timeout=2)
            first.communicate("go\n", timeout=START_S)
            assert second.communicate("go\n", timeout=START_S)[0] == "begun\n"
    assert (first.returncode, second.returncode) == (0, 0)
