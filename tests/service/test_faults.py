"""The disk goes away and comes back: nothing is answered that cannot be logged, unless that is the setting, and the
service recovers by itself.
"""

import base64
import contextlib
import os
import shutil
import time

import httpx
import psutil
import pytest

from monitoring.records.log_keys import log_keys_from
from monitoring.records.segments import archives, segments
from monitoring.status import Status, count
from tests.conftest import ROOT, Server, apart
from tests.forks import SERVICE
from tests.service.conftest import announced, metric, records


@pytest.fixture
def applicant(german_applicants):
    """One row of the table."""
    return german_applicants[0]


def test_without_a_log_nothing_is_scored_and_it_comes_back(trained, serve, tmp_path, applicant):
    service = serve(trained)
    folder = tmp_path / "var" / "decisions"
    with httpx.Client(base_url=service.url, timeout=30) as client:

        def ask(identifier):
            return client.post("/predict", json={"applicants": [applicant | {"application_id": identifier}]})

        def take_the_folder_away():
            shutil.rmtree(folder, ignore_errors=True)  # no row is in it: a log with rows that goes is another test's
            folder.write_text("in the way")
            refused = ask("meanwhile")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["error"]["code"] == "unavailable"
            assert client.get("/readyz").status_code == 503
            assert client.get("/livez").status_code == 200

        take_the_folder_away()
        folder.unlink()
        assert client.get("/readyz").status_code == 200, "readiness needs traffic to come back"
        take_the_folder_away()
        folder.unlink()
        assert ask("after").status_code == 200
        assert client.get("/readyz").status_code == 200
    assert records(tmp_path / "var").keys() == {"after"}
    said = service.log.read_text()
    assert "cannot be logged" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("when_log_fails", ["refuse", "score"])
def test_a_log_deleted_underneath_is_begun_anew_and_loud_at_once(trained, serve, tmp_path, applicant, when_log_fails):
    service = serve(trained, SCORER_WHEN_LOG_FAILS=when_log_fails)
    with httpx.Client(base_url=service.url, timeout=30) as client:
        client.post("/predict", json={"applicants": [applicant | {"application_id": "first"}]})
        assert metric(client, "scorer_log_removed_total") == 0
        shutil.rmtree(tmp_path / "var" / "decisions")
        client.post("/predict", json={"applicants": [applicant | {"application_id": "second"}]})
        assert metric(client, "scorer_log_removed_total") == 1
        assert client.get("/readyz").status_code == (503 if when_log_fails == "refuse" else 200)
        assert "scorer_log_anchor{hash=" in client.get("/metrics").text
    assert records(tmp_path / "var").keys() == {"second"}
    said = service.log.read_text()
    assert said.count("was removed while it was written; 1 rows that were answered may be lost") == 1


def test_a_profiler_that_cannot_write_leaves_serving_alone(trained, serve, tmp_path, applicant):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "profiles").write_text("in the way")
    service = serve(trained, SCORER_INTERVAL_S="0.1")
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for _ in range(5):
            assert client.post("/predict", json={"applicants": [applicant]}).status_code == 200
            time.sleep(0.2)


@pytest.fixture(scope="module")
def loud(trained, tmp_path_factory):
    """A service that answers without a log, and the folder of the log."""
    home = tmp_path_factory.mktemp("loud")
    server = Server(apart(trained, home) | {"SCORER_WHEN_LOG_FAILS": "score"}, home / "serve.log")
    yield server, home / "var" / "decisions"
    server.stop()


def test_a_service_that_is_set_so_answers_without_a_log_and_is_loud_about_it(loud, applicant):
    service, folder = loud
    with httpx.Client(base_url=service.url, timeout=30) as client:

        def ask(identifier):
            answer = client.post("/predict", json={"applicants": [applicant | {"application_id": identifier}]})
            assert answer.status_code == 200
            return answer.json()[0]["probability"]

        before = ask("before")
        shutil.rmtree(folder)
        folder.write_text("in the way")
        assert [ask(f"meanwhile {number}") for number in range(20)] == [before] * 20
        assert client.get("/readyz").status_code == 503
        assert metric(client, "scorer_unlogged_rows_total") == 20
        assert metric(client, "scorer_logged_rows_total") == 1
        folder.unlink()
        assert client.get("/readyz").status_code == 200
        ask("after")
        assert metric(client, "scorer_unlogged_rows_total") == 20
        assert metric(client, "scorer_logged_rows_total") == 2
    assert records(folder.parent).keys() == {"after"}
    said = service.log.read_text()
    assert 1 <= said.count("ANSWERED WITHOUT A RECORD so far, they cannot be logged") <= 3  # not a line for each of 20
    assert "is written again; until now 20 rows were ANSWERED WITHOUT A RECORD" in said
    assert "meanwhile" not in said


def test_its_worker_goes_on_answering_when_it_has_to_start_anew_meanwhile(loud, trained, applicant):
    service, folder = loud
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("in the way")
    below = psutil.Process(service.process.pid).children(recursive=True)
    [worker] = [process for process in below if "_bentoml_impl.worker.service" in process.cmdline()]
    worker.kill()
    with httpx.Client(base_url=service.url, timeout=60) as client:
        deadline = time.monotonic() + 60
        answered = 0
        while not answered and time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answered = client.post("/predict", json={"applicants": [applicant]}).status_code == 200
        assert answered
        assert client.get("/readyz").status_code == 503
        folder.unlink()
        assert client.get("/readyz").status_code == 200
    assert service.log.read_text().count(f"serving {trained.tag}") == 2
    assert len(announced(service)) == 1


def test_an_encrypted_log_is_profiled_archived_and_erased_under_a_running_service(trained, serve, tmp_path, applicant):
    key = base64.b64encode(bytes(range(32))).decode()
    keys = log_keys_from({"SCORER_LOG_KEY": key})
    service = serve(trained, SCORER_LOG_KEY=key, SCORER_SEGMENT_BYTES=str(2**20))
    directory = tmp_path / "var"
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for number in range(10):
            applicants = [applicant | {"application_id": f"private-{number}-{row}"} for row in range(500)]
            assert client.post("/predict", json={"applicants": applicants}).status_code == 200
        assert b"private" not in b"".join(path.read_bytes() for path in segments(directory))
        environment = {"SCORER_LOG_KEY": key}
        assert tell(directory, "erase", "private-0-7", **environment) == "erased 1 row\n"
        tell(directory, "catch-up", **environment)
        assert "encrypted" in tell(directory, "compact", **environment)
        assert len(archives(directory)) >= 1
        assert tell(directory, "erase", "private-1-9", **environment) == "erased 1 row\n"
        assert tell(directory, "erase", "private-9-499", **environment) == "erased 1 row\n"  # still being written
        assert client.post("/predict", json={"applicants": [applicant]}).status_code == 200
    assert service.stop() == 0
    assert count(directory, keys) == Status(5_001, 5_001, 5_001, 0)
    said = service.log.read_text()
    assert key not in said
    assert "Traceback" not in said


def tell(directory, *command, **settings):
    """What `python -m monitoring …` prints for this directory."""
    done = SERVICE.run("monitoring", command, ROOT, os.environ | {"SCORER_DIRECTORY": str(directory)} | settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
