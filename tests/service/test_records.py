"""Every answer is in the log before it leaves, and in one profile after: across stops, kills and several workers."""

import concurrent.futures
import contextlib
import json
import os
import signal
import time

import httpx
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitoring.profiles.files import all_files, read_view
from tests.conftest import ROOT
from tests.forks import SERVICE
from tests.service.conftest import announced, metric, records, until


def tell(directory, *command):
    """`python -m monitoring …` for this directory."""
    done = SERVICE.run("monitoring", command, ROOT, os.environ | {"SCORER_DIRECTORY": str(directory)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def caught_up(directory):
    """The status after catching up, checked against the profiles themselves."""
    tell(directory, "catch-up")
    status = json.loads(tell(directory, "status", "--json"))
    assert status["served"] == status["logged"] == status["profiled"]
    assert status["pending"] == 0
    views = [read_view(path) for path in all_files(directory)]
    rows = sum(view.get_column("probability").get_metric("counts").n.value for view in views)
    assert rows == status["profiled"]
    return status


def traffic(url, applicant, seconds, callers=4):
    """Single applicants from several callers, until the time is over or the service gone; what was answered, by id."""
    end = time.monotonic() + seconds

    def ask(caller):
        answered = {}
        with httpx.Client(base_url=url, timeout=20) as client:
            while time.monotonic() < end:
                identifier = f"private-{caller}-{len(answered)}-{time.monotonic_ns()}"
                try:
                    answer = client.post("/predict", json={"applicants": [applicant | {"application_id": identifier}]})
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                if answer.status_code == 200:
                    answered[identifier] = answer.json()[0]["probability"]
                else:
                    assert answer.status_code == 503, answer.text
        return answered

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        return {key: value for part in pool.map(ask, range(callers)) for key, value in part.items()}


def logged(directory):
    return {identifier: row.probability for identifier, row in records(directory).items()}


@pytest.fixture
def directory(tmp_path):
    """Where `serve` tells its services to keep their records."""
    return tmp_path / "var"


@pytest.fixture
def applicant(german_applicants):
    """One row of the table."""
    return german_applicants[0]


def new_key():
    """A new key for seals, as PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def verified(directory):
    """What `verify` says, which fails where something is broken."""
    return json.loads(tell(directory, "verify", "--json"))


def test_two_workers_log_all_and_count_all(trained, serve, directory, applicant, monkeypatch):
    key = new_key()
    monkeypatch.setenv("SCORER_SEAL_KEY", key)  # of the commands
    service = serve(trained, workers=2, SCORER_SEAL_KEY=key)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answers = pool.submit(traffic, service.url, applicant, 3)
        while not answers.done():
            assert verified(directory)["broken"] == [], "while the service writes"
        answered = answers.result()
    with httpx.Client(base_url=service.url) as client:
        for name in ("scorer_predictions_total", "scorer_logged_rows_total"):  # the other worker's, a moment later
            until(lambda name=name: metric(client, name) >= len(answered))
            assert metric(client, name) == len(answered)
    assert len(announced(service)) == 1
    assert logged(directory) == answered
    assert (directory / "decisions").stat().st_mode & 0o777 == 0o700
    assert caught_up(directory)["served"] == len(answered)
    with httpx.Client(base_url=service.url) as client:
        assert metric(client, "scorer_profiled_rows_total") == len(answered)
    assert service.stop() == 0
    assert verified(directory) == {
        "segments": len(list((directory / "decisions").iterdir())),
        "rows": len(answered),
        "intact": True,
        "broken": [],
    }
    monkeypatch.setenv("SCORER_SEAL_KEY", new_key())
    with pytest.raises(AssertionError, match="not given"):
        verified(directory)


def test_a_stop_under_load_fails_no_admitted_request_and_leaves_nothing_pending(trained, serve, directory, applicant):
    service = serve(trained)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answers = pool.submit(traffic, service.url, applicant, 4)
        time.sleep(2)
        assert service.stop() == 0
        answered = answers.result()
    assert answered
    assert logged(directory) == answered, "an answer was scored and logged, and then did not reach its caller"
    status = json.loads(tell(directory, "status", "--json"))
    assert status == {"served": len(answered), "logged": len(answered), "profiled": len(answered), "pending": 0}


def test_a_kill_of_everything_loses_no_answer_and_profiles_none_twice(trained, serve, directory, applicant):
    service = serve(trained)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answers = pool.submit(traffic, service.url, applicant, 4)
        time.sleep(2)
        victims = processes(service)["all"]
        for process in victims:
            process.send_signal(signal.SIGKILL)
        answered = answers.result()
    service.process.wait()
    assert not [process for process in victims if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    found = logged(directory)
    assert {key: found.get(key) for key in answered} == answered
    # A row may be in the log whose answer was cut off by the kill; it was served as far as we can tell.
    assert caught_up(directory)["served"] == verified(directory)["rows"] == len(found)


def processes(service):
    """The processes of a service: `worker`, `profiler`, and `all`."""
    main = psutil.Process(service.process.pid)
    below = []
    for process in main.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just gone
            below.append((process, process.cmdline()))
    profiler = [process for process, command in below if "monitoring.profiles.process" in command]
    worker = [process for process, command in below if "_bentoml_impl.worker.service" in command]
    return {"worker": worker, "profiler": profiler, "all": [main, *(process for process, _ in below)]}


def test_the_next_service_goes_on_where_the_last_was_killed(trained, serve, directory, applicant):
    first = serve(trained)
    answered = traffic(first.url, applicant, seconds=1)
    for process in processes(first)["all"]:
        process.kill()
    first.process.wait()
    second = serve(trained)
    answered |= traffic(second.url, applicant, seconds=1)
    assert second.stop() == 0
    assert logged(directory).keys() >= answered.keys()
    status = json.loads(tell(directory, "status", "--json"))
    assert status["served"] == status["profiled"] == verified(directory)["rows"] >= len(answered)
