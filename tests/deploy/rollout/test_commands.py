"""What a person meets: bad input, things in the way, two at once. A message with the remedy, and nothing half-done."""

import os
import signal
import socket

import pytest

from tests.conftest import free_port
from tests.deploy.rollout.conftest import failed, until

pytestmark = pytest.mark.shipping


def refused(standins, *arguments):
    """The message of a command that could not do its work."""
    result = standins.run(*arguments)
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    return result.stderr


def test_before_anything_is_deployed_every_command_says_how_to_begin(standins):
    for arguments in (["switch", "good"], ["canary", "good"], ["rollback"], ["down"], ["status"]):
        result = standins.run(*arguments)
        assert result.returncode == 1
        assert "nothing is deployed; start with: python -m deploy up VERSION" in result.stderr
    assert "say which version" in refused(standins, "up")
    assert "say which version" in refused(standins, "canary")
    wrong = standins.run("up", "good", "--port", "0")
    assert (wrong.returncode, "0 is no port, 1 to 65535" in wrong.stderr) == (2, True)
    assert standins.processes() == []


def test_up_status_and_down(standins):
    up = standins.run("up", "good")
    assert (up.returncode, up.stdout) == (0, "good serves\n")
    status = standins.status()
    assert status["haproxy_running"]
    assert status["problem"] == ""
    (instance,) = status["instances"]
    assert (instance["role"], instance["health"], instance["running"]) == ("stable", "UP", True)
    shown = standins.run("status")
    assert shown.returncode == 0
    assert f"HTTP on port {standins.port}" in shown.stdout
    assert standins.run("up").stdout == "good serves\n"
    assert "to replace it: python -m deploy switch other" in refused(standins, "up", "other")
    assert "the ports are" in refused(standins, "up", "--port", "4000")
    assert "no version before good" in refused(standins, "rollback")
    assert standins.run("down").stdout == "good is stopped\n"
    assert standins.processes() == []
    assert (standins.directory / "instances" / instance["name"] / "serve.log").exists()


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("absent", "no model absent:1 in the store; run: make train"),
        ("unready", "not ready after 2 s (ready_s)"),
        ("broken", "POST /predict returns 500"),
        ("mumbling", "POST /predict returns no prediction"),
        ("../escape", "is no version"),
    ],
)
def test_an_instance_that_cannot_serve_leaves_nothing(standins, version, words):
    standins.configure(ready_s=2)
    assert words in refused(standins, "up", version)
    assert standins.processes() == []
    assert {(one["command"], one["result"]) for one in standins.status()["history"]} <= {("up", "undone")}
    standins.configure(ready_s=20)
    standins.done("up", "good")
    standins.configure(ready_s=2)
    for command in ("switch", "canary"):
        assert words in refused(standins, command, version)
    status = standins.status()
    assert (status["stable"], status["problem"], len(standins.processes())) == ("good", "", 2)


def test_the_version_that_serves_is_no_canary(standins):
    standins.done("up", "good")
    assert "to restart it: python -m deploy switch good" in refused(standins, "canary", "good")


@pytest.mark.parametrize("name", ["port", "grpc_port"])
def test_a_port_in_use_is_named_before_anything_starts(standins, name):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        standins.configure(**{name: port})
        message = refused(standins, "up", "good")
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in message
    assert "starting" not in message
    assert standins.processes() == []


def test_without_haproxy_nothing_starts(standins):
    standins.configure(haproxy="no-such-haproxy")
    assert "apt-get install haproxy" in refused(standins, "up", "good")
    assert standins.processes() == []


def test_a_directory_too_deep_for_a_socket_is_refused(standins):
    assert "give a shorter one with --directory" in refused(standins, "up", "good", "--directory", "/tmp/" + "x" * 90)


def test_haproxy_that_was_killed_comes_back_with_its_weights(standins, people):
    standins.done("up", "good-1")
    standins.done("switch", "good-2")
    (haproxy, *_) = [process for process in standins.processes() if process.name() == "haproxy"]
    os.kill(haproxy.pid, signal.SIGKILL)
    until(lambda: not standins.status()["haproxy_running"])
    for arguments in (["status"], ["switch", "good-3"], ["canary", "good-3"], ["rollback"]):
        result = standins.run(*arguments)
        assert result.returncode == 1
        assert "HAProxy is not running; start it with: python -m deploy up" in result.stderr
    standins.done("up")
    assert standins.weights() == {"good-2": 100}
    with standins.traffic(people, 50) as seen:
        until(lambda: standins.status()["instances"][0]["requests"] > 10)
    assert failed(seen) == {}


def test_where_the_port_of_a_killed_haproxy_was_taken_up_takes_another(standins):
    standins.done("up", "good")
    assert "the ports are" in refused(standins, "up", "--port", str(free_port()))
    (haproxy,) = [process for process in standins.processes() if process.name() == "haproxy"]
    os.kill(haproxy.pid, signal.SIGKILL)
    until(lambda: not standins.status()["haproxy_running"])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", standins.port))
        taken.listen()
        assert f"cannot listen on 127.0.0.1:{standins.port}" in refused(standins, "up")
        port = free_port()
        standins.done("up", "--port", str(port))
    status = standins.status()
    assert (status["port"], status["problem"]) == (port, "")


def test_an_instance_that_was_killed_is_started_again(standins):
    standins.done("up", "good")
    (instance,) = standins.status()["instances"]
    os.kill(instance["pid"], signal.SIGKILL)
    assert "is not running; start it with: python -m deploy up" in refused(standins, "switch", "good")
    standins.done("up")
    assert standins.status()["problem"] == ""


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("canary", {"steps": [5, 50]}, "canary.steps: [5, 50] is no way to 100 percent"),
        ("canary", {"steps": [50, 25, 100]}, "let the steps rise"),
        ("canary", {"step_s": 90, "most_step_s": 60}, "most_step_s: 60 is less than step_s; give at least 90"),
        ("canary", {"stages": [5]}, "canary.stages: unknown key; did you mean steps?"),
        ("command", ["run", "{nothing}"], "command[1]: '{nothing}' has a placeholder that is not known"),
        ("drain_s", 0, "drain_s: Expected"),
    ],
)
def test_a_mistake_in_the_file_names_file_key_and_remedy(standins, key, value, words):
    before = standins.settings[key]
    standins.configure(**{key: before | value if isinstance(value, dict) else value})
    message = refused(standins, "up", "good")
    assert str(standins.config) in message
    assert words in message


def test_a_version_that_is_not_in_the_store_is_answered_with_those_that_are(standins):
    store = standins.directory / "store"
    (store / "bentos/credit_scorer/abc").mkdir(parents=True)
    (store / "bentos/credit_scorer/abc/bento.yaml").touch()
    standins.environment["BENTOML_HOME"] = str(store)
    standins.configure(command=["{bin}/bentoml", "serve", "{bento}"])
    message = refused(standins, "up", "abd")
    assert f"there is no bento credit_scorer:abd in {store}; there are: abc; build one with: make bento" in message
    assert "is no credit_scorer" in refused(standins, "up", "iris:abc")
    assert "there is no bento credit_scorer:latest" in refused(standins, "up", "latest")


def test_a_state_that_cannot_be_read_is_not_guessed(standins):
    standins.directory.mkdir(exist_ok=True)
    (standins.directory / "state.json").write_text('{"port": ')
    assert "move the file away" in refused(standins, "up", "good")


def test_haproxy_s_own_errors_have_the_shape_of_the_service_s(standins):
    import httpx

    standins.done("up", "good")
    (instance,) = standins.status()["instances"]
    os.kill(instance["pid"], signal.SIGKILL)
    answer = httpx.post(f"http://127.0.0.1:{standins.port}/predict", json={"applicants": []})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"
    assert answer.headers["retry-after"] == "1"
