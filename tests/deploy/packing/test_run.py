"""How the image is started: with the settings of this machine, none of which can be read from the arguments."""

import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.deploy.packing.conftest import packing

ENGINE = """#!/bin/sh
case $1 in
  image) echo sha256:1f ;;
  run) printf '%s\\n' "$@" > arguments; env > environment ;;
esac
"""
KEY = "a-key-of-the-log"


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_the_key_of_the_log_goes_by_the_environment_and_places_of_this_machine_stay_here(tmp_path, name):
    """A program stands for the engine, which is not on every machine, and notes how it was called."""
    program = tmp_path / name
    program.write_text(ENGINE)
    program.chmod(0o755)
    settings = {"SCORER_LOG_KEY": KEY, "SCORER_DIRECTORY": "/srv/records", "SCORER_GRPC_PORT": "4001"}
    own = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SCORER_ROLLOUT_KEY": "a-key-of-the-api", **settings}
    done = packing("run", "scorer:1", "--engine", name, environment=own, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    arguments = (tmp_path / "arguments").read_text()
    assert "--env=SCORER_LOG_KEY\n" in arguments
    assert f"SCORER_LOG_KEY={KEY}\n" in (tmp_path / "environment").read_text()
    for left_out in (KEY, "SCORER_DIRECTORY", "SCORER_GRPC_PORT", "SCORER_ROLLOUT_KEY"):
        assert left_out not in arguments


@pytest.mark.parametrize(("host", "open_to"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_only_on_loopback_nobody_needs_a_key(tmp_path, host, open_to):
    program = tmp_path / "docker"
    program.write_text(ENGINE)
    program.chmod(0o755)
    own = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = packing("run", "scorer:1", "--engine", "docker", "--host", host, environment=own, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"--publish={host}:3000:3000\n" in (tmp_path / "arguments").read_text()
    for setting in ("SCORER_OPEN_TO_NETWORK", "SCORER_KEYS_WITHOUT_TLS"):
        assert (f"{setting}=true\n" in (tmp_path / "environment").read_text()) == open_to


WAITING = """#!/bin/sh
case $1 in
  image) echo sha256:1f ;;
  run) trap 'echo told > told; exit 7' TERM; touch started; while :; do sleep 0.05; done ;;
esac
"""


def test_docker_is_told_to_stop_and_waited_for(tmp_path):
    program = tmp_path / "docker"
    program.write_text(WAITING)
    program.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.packing", "run", "scorer:1", "--engine", "docker"],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 7
    assert (tmp_path / "told").exists()
