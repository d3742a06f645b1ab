"""How the image is started: with the settings of this machine, none of which can be read from the arguments."""

import pytest

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
