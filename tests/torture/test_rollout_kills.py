"""`python -m deploy` killed at random moments: one version serves, nothing is left over, and no client notices."""

import contextlib
import random
import subprocess

import pytest

from tests.deploy.rollout.conftest import failed, people, standins

pytestmark = pytest.mark.slow

__all__ = ["people", "standins"]
RATE = 100


@pytest.mark.parametrize("command", ["switch", "canary"])
def test_a_command_killed_at_any_moment_leaves_one_version_that_serves(standins, people, command, size):
    delays = random.Random(command)
    standins.done("up", "good-0")
    with standins.traffic(people, RATE) as seen:
        for number in range(1, size(3, 40)):
            killed = standins.start(command, f"good-{number}")
            with contextlib.suppress(subprocess.TimeoutExpired):  # a moment is what is wanted, not a state
                killed.wait(delays.uniform(0.1, 1.5))
            killed.kill()
            killed.communicate()
            standins.done("up")
            status = standins.status()
            assert status["problem"] == ""
            assert status["operation"] is None
            assert status["stable"] in {f"good-{earlier}" for earlier in range(number + 1)}
            assert standins.weights() == {status["stable"]: 100}
            assert len(standins.processes()) == 2
    assert failed(seen) == {}
