"""A command that is killed at any moment: the next one finishes or undoes what it had begun, and requests go on."""

import os
import signal
import socket

import pytest

from tests.deploy.rollout.conftest import failed, until

pytestmark = pytest.mark.shipping

RATE = 100


def phase(standins):
    """What is being done, and how far it is."""
    operation = standins.status()["operation"]
    return (operation["command"], operation["phase"], operation["percent"]) if operation else None


def kill(process):
    """kill -9 of a command."""
    process.kill()
    process.communicate()


def killed_canary(standins):
    """A canary whose command was killed at its first step."""
    standins.done("up", "good-1")
    canary = standins.start("canary", "good-2")
    until(lambda: phase(standins) == ("canary", "shifting", 25))
    kill(canary)
    assert standins.weights() == {"good-1": 75, "good-2": 25}
    status = standins.run("status")
    assert status.returncode == 1
    assert "`canary` was interrupted" in status.stderr


@pytest.mark.parametrize("command", [["rollback"], ["up"]])
def test_a_killed_canary_is_rolled_back_by_the_next_command(standins, people, command):
    killed_canary(standins)
    with standins.traffic(people, RATE) as seen:
        standins.done(*command)
    assert failed(seen) == {}
    assert standins.weights() == {"good-1": 100}
    assert len(standins.processes()) == 2
    assert standins.status()["history"][-1]["result" if command == ["rollback"] else "why"] in (
        "rolled back",
        "interrupted",
    )


def test_a_killed_canary_goes_on_with_resume(standins, people):
    killed_canary(standins)
    assert "is one of good-2" in standins.run("canary", "good-3", "--resume").stderr
    with standins.traffic(people, RATE) as seen:
        result = standins.done("canary", "--resume")
    assert [step["percent"] for step in result["steps"]] == [25, 100]
    assert failed(seen) == {}
    assert standins.weights() == {"good-2": 100}
    assert "no interrupted canary" in standins.run("canary", "--resume").stderr


def test_a_new_rollout_begins_by_rolling_the_killed_one_back(standins):
    killed_canary(standins)
    result = standins.run("switch", "good-3")
    assert "`canary` of 0002-good-2 was interrupted at 25%: rolling back" in result.stderr
    assert result.stdout == "good-3 serves\n"
    assert len(standins.processes()) == 2


def test_a_canary_gets_nothing_any_more_even_where_the_state_cannot_be_written(standins):
    standins.configure(canary=standins.settings["canary"] | {"step_s": 60})
    standins.done("up", "good-1")
    canary = standins.start("canary", "good-2")
    until(lambda: phase(standins) == ("canary", "shifting", 25))
    (standins.directory / "state.json.next").mkdir()  # so nothing can be written there, as on a full disk
    rollback = standins.run("rollback")
    assert (rollback.returncode, rollback.stdout) == (1, "")
    _, words = canary.communicate(timeout=60)
    assert (canary.returncode, "Traceback" in words) == (1, False)
    for said in (words, rollback.stderr):
        assert "going back all the same" in said
        assert "free disk space" in said
    assert standins.weights()["good-1"] == 100
    assert len(standins.processes()) == 2
    (standins.directory / "state.json.next").rmdir()
    standins.done("up")
    assert standins.weights() == {"good-1": 100}


def test_nor_is_it_promoted_where_that_cannot_be_written(standins, people):
    standins.configure(canary=standins.settings["canary"] | {"steps": [100], "step_s": 2})
    standins.done("up", "good-1")
    with standins.traffic(people, RATE) as seen:
        canary = standins.start("canary", "good-2")
        until(lambda: phase(standins) == ("canary", "shifting", 100))
        (standins.directory / "state.json.next").mkdir()
        _, words = canary.communicate(timeout=60)
    assert (canary.returncode, "Traceback" in words) == (1, False)
    assert "free disk space" in words
    assert standins.weights()["good-1"] == 100
    assert failed(seen) == {}


def test_a_rollback_that_cannot_be_done_says_so(standins):
    """The canary goes on, as nobody else is fit to serve."""
    standins.configure(canary=standins.settings["canary"] | {"step_s": 60})
    standins.done("up", "good-1")
    (stable,) = standins.status()["instances"]
    canary = standins.start("canary", "good-2")
    until(lambda: phase(standins) == ("canary", "shifting", 25))
    os.kill(stable["pid"], signal.SIGKILL)
    until(lambda: "DOWN" in {one["health"].partition(" ")[0] for one in standins.status()["instances"]})
    result = standins.run("rollback")
    assert (result.returncode, result.stdout) == (1, "")
    assert "goes on serving" in result.stderr
    canary.communicate(timeout=60)
    assert canary.returncode == 1


def test_an_interrupted_down_is_finished_and_nothing_is_started_for_it(standins):
    standins.configure(drain_s=2)
    standins.done("up", "hanging-1")
    with socket.create_connection(("127.0.0.1", standins.port)) as connection:
        body = b'{"applicants": [{"group": "old"}]}'
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        until(lambda: standins.status()["instances"][0]["in_flight"] == 1)
        down = standins.start("down")
        until(lambda: phase(standins) == ("down", "stopping", 0))
        kill(down)
    (pid,) = {one["pid"] for one in standins.status()["instances"]}
    os.kill(pid, signal.SIGKILL)
    result = standins.run("up", "good-2")
    assert "starting it again" not in result.stderr
    assert result.stdout == "good-2 serves\n"
    assert len(standins.processes()) == 2


def test_a_killed_up_leaves_nothing_that_the_next_does_not_stop(standins):
    up = standins.start("up", "unready")
    until(lambda: len(standins.processes()) == 1)
    kill(up)
    assert standins.run("down").returncode == 0
    assert standins.processes() == []
    up = standins.start("up", "unready")
    until(lambda: len(standins.processes()) == 1)
    kill(up)
    standins.done("up", "good")
    assert standins.weights() == {"good": 100}
    assert len(standins.processes()) == 2
