"""Explaining happens in a process of its own, which yields to scoring and whose end is not that of the service."""

import base64
import concurrent.futures
import fcntl
import os
import termios
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from models.artifact import Artifact
from models.explanation import Explainer
from models.request import RequestDecoder
from monitoring.profiles.priority import LEAST
from serving.explaining_process import NICENESS
from tests.service.conftest import until
from tests.service.test_bad_input import error_of

ROWS = 100


def below(server, module):
    """The processes of a service whose command line names a module."""
    found = psutil.Process(server.process.pid).children(recursive=True)
    return [process for process in found if module in process.cmdline()]


def cpu_s(process):
    return sum(process.cpu_times()[:2])


def niceness_of_session(process):
    """The niceness of all processes of a session together; None where the kernel knows none."""
    try:
        return int(Path(f"/proc/{process.pid}/autogroup").read_text().rsplit(" ", 1)[1])
    except OSError:
        return None


@pytest.fixture
def explaining(service):
    """The process that explains, and its worker."""
    until(lambda: below(service, "serving.explaining_process"))
    (process,) = below(service, "serving.explaining_process")
    return process, process.parent()


def test_answers_have_the_bits_of_an_explanation_in_the_worker(client, german_applicants, trained):
    asked = [applicant | {"application_id": f"private-{i}"} for i, applicant in enumerate(german_applicants[:60])]
    artifact = Artifact(trained.folder, retrain="make train")
    explainer = Explainer(artifact.schema, artifact.scorer().probabilities, artifact.background, artifact.tag)
    rows = RequestDecoder(artifact.schema, ROWS).decode(msgspec.json.encode({"applicants": asked}))
    expected = msgspec.json.encode([explainer.explain(row) for row in rows])
    assert client.post("/explain", json={"applicants": asked}).content == expected


def test_a_hundred_explanations_cost_the_worker_a_fraction_of_what_they_cost(client, german_applicants, explaining):
    process, worker = explaining
    client.post("/explain", json={"applicants": german_applicants[:1]})
    before = cpu_s(process), cpu_s(worker)
    assert client.post("/explain", json={"applicants": german_applicants[:ROWS]}).status_code == 200
    explained, served = cpu_s(process) - before[0], cpu_s(worker) - before[1]
    assert served < explained / 4, (served, explained)


def test_the_process_yields_to_the_worker_and_does_not_get_the_key_of_the_log(trained, serve, example):
    secret = base64.b64encode(bytes(range(32))).decode()
    service = serve(trained, SCORER_LOG_KEY=secret)
    answer = httpx.post(f"{service.url}/explain", json={"applicants": [example]}, timeout=60)
    assert answer.status_code == 200
    (process,) = below(service, "serving.explaining_process")
    worker = process.parent()
    assert process.nice() == worker.nice() + NICENESS
    assert os.getsid(process.pid) == process.pid, "Ctrl-C reaches it"
    assert niceness_of_session(process) in (None, NICENESS), "a priority means nothing between two sessions"
    (profiler,) = below(service, "monitoring.profiles.process")
    until(lambda: niceness_of_session(profiler) in (None, LEAST))
    assert secret in worker.environ().values()
    assert secret not in process.environ().values()


def test_a_killed_process_costs_one_answer_at_most_and_is_started_again(trained, serve, example):
    service = serve(trained)
    with httpx.Client(base_url=service.url, timeout=60) as client:
        expected = client.post("/explain", json={"applicants": [example]}).json()
        (process,) = below(service, "serving.explaining_process")
        process.kill()
        until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
        answers = [client.post("/explain", json={"applicants": [example]}) for _ in range(2)]
        assert {answer.status_code for answer in answers[:-1]} <= {200, 503}
        again = answers[-1].json()
        assert [one | {"application_id": ""} for one in again] == [one | {"application_id": ""} for one in expected]
        assert len(below(service, "serving.explaining_process")) == 1
        last = below(service, "serving.explaining_process")[0]
        last.suspend()  # as if it were busy
        assert client.post("/predict", json={"applicants": [example]}).status_code == 200
    assert service.stop() == 0
    assert not last.is_running()
    assert "Traceback" not in service.log.read_text()


def test_a_caller_whose_explanation_dies_with_the_process_gets_503(trained, serve, german_applicants):
    service = serve(trained)
    with httpx.Client(base_url=service.url, timeout=60) as client:
        client.post("/explain", json={"applicants": german_applicants[:1]})
        (process,) = below(service, "serving.explaining_process")
        process.suspend()
        until(lambda: process.status() == psutil.STATUS_STOPPED)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.post, "/explain", json={"applicants": german_applicants[:3]})
            until(lambda: pending(process))
            process.kill()
            assert error_of(asked.result(), 503)["code"] == "unavailable"
        assert client.post("/explain", json={"applicants": german_applicants[:3]}).status_code == 200
    assert "the process that explains failed: it ended with status -9" in service.log.read_text()


def pending(process):
    """Whether something waits in the standard input of a stopped process."""
    with Path(f"/proc/{process.pid}/fd/0").open("rb", buffering=0) as pipe:
        return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little") > 0
