"""A bad model is rolled back by itself, and no client sees a failed request; a good one gets everything."""

import os
import signal

import pytest

from configs.rollout import read_rollout
from tests.deploy.rollout.conftest import failed, until

pytestmark = pytest.mark.shipping

RATE = 200


def test_a_good_version_takes_over_step_by_step(standins, people):
    shipped = read_rollout().canary.steps
    standins.configure(canary=standins.settings["canary"] | {"steps": list(shipped)})
    standins.done("up", "good-1")
    with standins.traffic(people, RATE) as seen:
        result = standins.done("canary", "good-2")
    assert result["result"] == "done"
    assert [step["percent"] for step in result["steps"]] == list(shipped) == [5, 25, 50, 100]
    assert all(step["requests"] >= 20 and step["failures"] == 0 for step in result["steps"])
    assert failed(seen) == {}
    status = standins.status()
    assert (status["stable"], status["previous"]) == ("good-2", "good-1")
    assert [one["version"] for one in status["instances"]] == ["good-2"]


BAD = {
    "failing": "errors",
    "dying": "",  # found by the health check or by the requests, whichever is first
    "slow": "latency",
    "hanging": "stalled",
    "collapsed": "decisions",
    "unfair": "fairness",
    "refusing": "refusals",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_version_is_rolled_back_and_clients_see_no_failed_request(standins, people, kind, say):
    standins.configure(canary=standins.settings["canary"] | {"least_requests": 5000})
    standins.done("up", "good")
    with standins.traffic(people, RATE) as seen:
        result = standins.done("canary", f"{kind}-2", code=3)
    say(f"{kind}: {result['why']}; decided after {result['decided_s']} s, over after {result['over_s']} s")
    assert result["result"] == "rolled back"
    assert result["version"] == "good"
    assert result["why"].startswith(BAD[kind])
    expected = {"422"} if kind == "refusing" else set()  # an answer like any other, as HAProxy cannot know
    assert set(failed(seen)) <= expected
    status = standins.status()
    assert standins.weights() == {"good": 100}
    assert status["history"][-1]["result"] == "rolled back"
    assert len(standins.processes()) == 2  # HAProxy and the good one


def test_at_the_last_step_too_a_failing_canary_is_repeated_on_the_stable_one(standins, people):
    """Which has next to no weight by then."""
    standins.configure(canary=standins.settings["canary"] | {"steps": [100]})
    standins.done("up", "good")
    with standins.traffic(people, RATE) as seen:
        result = standins.done("canary", "failing-2", code=3)
    assert result["why"].startswith("errors")
    assert failed(seen) == {}


def test_a_canary_without_requests_is_not_trusted(standins):
    standins.configure(canary=standins.settings["canary"] | {"most_step_s": 1})
    standins.done("up", "good-1")
    result = standins.done("canary", "good-2", code=3)
    assert result["why"].startswith("unjudged: 0 requests")


def test_a_canary_that_gives_no_metrics_any_more_is_not_trusted(standins, people):
    standins.configure(canary=standins.settings["canary"] | {"most_step_s": 2})
    standins.done("up", "good-1")
    with standins.traffic(people, RATE):
        result = standins.done("canary", "mute-2", code=3)
    assert result["why"].startswith("unjudged: no /metrics of both instances")
    assert standins.weights() == {"good-1": 100}


def test_a_slow_canary_does_not_condemn_the_good_one_after_it(standins, people):
    standins.done("up", "good-1")
    with standins.traffic(people, RATE):
        assert standins.done("canary", "slow-2", code=3)["why"].startswith("latency")
        assert standins.done("canary", "good-3")["result"] == "done"


def test_a_rollback_that_finds_the_canary_gone_leaves_the_stable_one(standins):
    standins.done("up", "good-0")
    standins.done("switch", "good-1")
    standins.configure(ready_s=4)
    canary = standins.start("canary", "unready-2")
    until(lambda: len(standins.status()["instances"]) == 2)
    assert standins.done("rollback")["version"] == "good-1"
    canary.communicate(timeout=60)
    assert canary.returncode == 1
    assert standins.weights() == {"good-1": 100}


def test_restarting_a_version_keeps_the_one_to_go_back_to(standins):
    standins.done("up", "good-1")
    standins.done("switch", "good-2")
    standins.done("switch", "good-2")
    assert standins.done("rollback")["version"] == "good-1"


def test_a_person_ends_a_running_canary_with_rollback(standins):
    standins.done("up", "good-1")
    canary = standins.start("canary", "good-2", "--json")
    until(lambda: standins.weights().get("good-2") == 25)
    refused = standins.run("switch", "good-3")
    assert refused.returncode == 1
    assert "another command is at work here: canary, process" in refused.stderr
    assert standins.done("rollback")["version"] == "good-1"
    out, _ = canary.communicate(timeout=60)
    assert canary.returncode == 3
    assert '"why":"asked' in out
    assert standins.weights() == {"good-1": 100}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_canary_that_is_interrupted_rolls_back(standins, number):
    standins.done("up", "good-1")
    canary = standins.start("canary", "good-2")
    until(lambda: standins.weights().get("good-2") == 25)
    os.kill(canary.pid, number)
    out, _ = canary.communicate(timeout=60)
    assert (canary.returncode, out) == (3, "rolled back to good-1: interrupted\n")
    assert standins.weights() == {"good-1": 100}


def test_a_canary_whose_metrics_are_secret_is_not_begun(standins):
    standins.done("up", "good")
    result = standins.run("canary", "secret-2")
    assert result.returncode == 1
    assert "does not give its /metrics, so nothing can be judged" in result.stderr
    assert standins.weights() == {"good": 100}


def test_a_canary_is_not_stopped_while_it_alone_can_serve(standins, people):
    standins.done("up", "good-1")
    canary = standins.start("canary", "good-2")
    until(lambda: standins.weights().get("good-2") == 25)
    stable = next(one for one in standins.status()["instances"] if one["role"] == "stable")
    os.kill(stable["pid"], signal.SIGKILL)
    until(lambda: standins.status()["instances"][0]["health"] == "DOWN")
    os.kill(canary.pid, signal.SIGTERM)
    _, words = canary.communicate(timeout=60)
    assert canary.returncode == 1
    assert "goes on serving; start the stable one and roll back with: python -m deploy up" in words
    with standins.traffic(people, 50) as seen:
        until(lambda: standins.status()["instances"][1]["requests"] > 10)
        standins.done("up")
    assert failed(seen) == {}
    assert standins.weights() == {"good-1": 100}
