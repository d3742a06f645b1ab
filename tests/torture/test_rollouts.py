"""Rollouts of the real service under load of half its capacity: no client sees a failed request, whatever happens."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from deploy.rollout import processes
from deploy.rollout.counts import read_metrics
from deploy.rollout.gate import ask
from models.artifact import sha256
from tests.conftest import ROOT, apart
from tests.deploy.rollout.conftest import QUICK, Deployed, failed, until
from tests.service.test_grpc_server import Caller
from tests.torture.conftest import body_of

pytestmark = pytest.mark.shipping

MEASURE_S = 3.0


@pytest.fixture(scope="module")
def store(trained, tmp_path_factory):
    """The environment of a store with three bentos: two of one model, and one of a model that declines everyone."""
    home = tmp_path_factory.mktemp("store")
    environment = apart(trained, home)
    models = home / "bentoml/models"
    original = models.resolve()
    models.unlink()
    shutil.copytree(original, models)
    name, _, version = trained.tag.partition(":")
    declines_everyone(models / name / version, models / name / "collapsed")
    for bento, model in (("one", version), ("collapsed", "collapsed")):
        done = subprocess.run(
            [sys.executable, "-m", "bentoml", "build", "--version", bento, "--arg", f"model={name}:{model}"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    bentos = home / "bentoml/bentos/credit_scorer"
    shutil.copytree(bentos / "one", bentos / "two")
    about = bentos / "two/bento.yaml"
    about.write_text(about.read_text().replace("\nversion: one\n", "\nversion: two\n"))
    for own in ("SCORER_MODEL", "SCORER_DIRECTORY", "SCORER_GRPC_PORT"):
        environment.pop(own, None)
    return environment


def declines_everyone(folder, copy):
    """A copy of a model whose costs say that approving anybody is too dear."""
    shutil.copytree(folder, copy)
    dataset = json.loads((copy / "dataset.json").read_text())
    dataset["costs"]["missed_event"] = 1e9
    content = json.dumps(dataset).encode()
    (copy / "dataset.json").write_bytes(content)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["sha256"]["dataset.json"] = sha256(content)
    (copy / "manifest.json").write_text(json.dumps(manifest | {"version": copy.name}))
    model = yaml.safe_load((copy / "model.yaml").read_text()) | {"version": copy.name}
    (copy / "model.yaml").write_text(yaml.safe_dump(model, sort_keys=False))


@pytest.fixture
def deployed(store):
    """A deployment of bentos, with quick steps."""
    deployed = Deployed(store, {"canary": QUICK | {"least_requests": 200}})
    yield deployed
    for log in (deployed.directory / "instances").glob("*/serve.log"):
        assert "Traceback" not in log.read_text()
    deployed.end()


@pytest.fixture(scope="session")
def bodies(german_applicants):
    """One applicant a request."""
    return [body_of([applicant]) for applicant in german_applicants]


def half_of_capacity(deployed, bodies):
    """Requests per second: half of what the clients get when they do not wait."""
    with deployed.traffic(bodies, 0) as seen:
        time.sleep(MEASURE_S)  # a duration is what is measured here
    assert failed(seen) == {}
    return seen["200"] / MEASURE_S / 2


def test_switching_canarying_rolling_back_and_restarting_fail_no_request(deployed, bodies, size, say):
    deployed.done("up", "one")
    rate = half_of_capacity(deployed, bodies)
    both = [["switch", "two"], ["up"], ["canary", "one"], ["rollback"], ["switch", "two"], ["canary", "one"]]
    rounds = size([both[:2], both[2:4]], [both] * 20)
    with deployed.traffic(bodies, rate) as seen:
        for commands in rounds:
            for command in commands:
                deployed.done(*command)
    say(f"{len(rounds)} rounds at {rate:.0f} requests/s: {seen['200']} answered, slowest {seen['slowest_ms']} ms")
    assert failed(seen) == {}
    status = deployed.status()
    assert status["problem"] == ""
    until(lambda: read_metrics(ask(status["instances"][0]["port"], "/metrics")[1].decode()).groups)
    records = (deployed.directory / "instances").glob("*/records")
    logged = sum(logged_rows(deployed, folder) for folder in records)
    assert logged >= seen["200"]  # a request that was repeated is in two logs, and the health gate's are there too


def logged_rows(deployed, folder):
    """Rows in the records of an instance."""
    done = subprocess.run(
        [sys.executable, "-m", "monitoring", "status", "--json"],
        cwd=ROOT,
        env=deployed.environment | {"SCORER_DIRECTORY": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["logged"]


def test_a_bad_model_is_rolled_back_and_no_request_fails(deployed, bodies, size, say):
    """Real ones: it declines everyone; its disk is full; it hangs."""
    deployed.configure(canary=QUICK | {"least_requests": 10**6})
    deployed.done("up", "one")
    bento = deployed.settings["command"]
    for kind in size(["collapsed"], ["collapsed", "full", "hangs"]):
        version = "collapsed" if kind == "collapsed" else "two"
        deployed.configure(command=["prlimit", "--fsize=120000", *bento] if kind == "full" else bento)
        with deployed.traffic(bodies, 200) as seen:
            canary = deployed.start("canary", version, "--json")
            if kind == "hangs":
                stop_workers(deployed, canary)
            out, err = canary.communicate(timeout=120)
        assert canary.returncode == 3, err
        result = json.loads(out)
        say(f"{kind}: {result['why']}; decided after {result['decided_s']} s, over after {result['over_s']} s")
        assert failed(seen) == {}, err
        assert deployed.weights() == {"one": 100}


def test_a_canary_that_is_asked_by_grpc_alone_is_judged(deployed, german_applicants):
    deployed.done("up", "one")
    callers = [Caller(f"127.0.0.1:{deployed.grpc_port}", german_applicants[0], str(number)) for number in range(4)]
    for caller in callers:
        caller.start()
    try:
        result = deployed.done("canary", "two")
    finally:
        for caller in callers:
            caller.stop.set()
            caller.join()
    assert [step["requests"] >= 200 for step in result["steps"]] == [True, True]
    assert {code for caller in callers for code in caller.codes} == set()


def stop_workers(deployed, canary):
    """SIGSTOP to every process of the new instance, once it has requests."""
    words = ""
    while not re.search(r"% of the requests go to", words):
        words = canary.stderr.readline()
        assert words, "the canary ended"
    (folder,) = [path for path in (deployed.directory / "instances").glob("*-two") if processes.of(path)]
    for process in processes.of(folder):
        os.kill(process.pid, signal.SIGSTOP)
    assert all(process.status() == psutil.STATUS_STOPPED for process in processes.of(folder))
