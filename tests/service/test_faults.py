"""The disk goes away and comes back: nothing is answered that cannot be logged, and the service recovers by itself."""

import shutil
import time

import httpx
import pytest

from tests.service.conftest import records


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

        assert ask("before").status_code == 200
        shutil.rmtree(folder)
        folder.write_text("in the way")
        refused = ask("meanwhile")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "unavailable"
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200

        folder.unlink()
        assert ask("after").status_code == 200
        assert client.get("/readyz").status_code == 200
    assert records(tmp_path / "var").keys() == {"after"}
    said = service.log.read_text()
    assert "cannot be logged" in said
    assert "Traceback" not in said


def test_readiness_comes_back_without_traffic(trained, serve, tmp_path, applicant):
    service = serve(trained)
    folder = tmp_path / "var" / "decisions"
    with httpx.Client(base_url=service.url, timeout=30) as client:
        shutil.rmtree(folder)
        folder.write_text("in the way")
        assert client.post("/predict", json={"applicants": [applicant]}).status_code == 503
        assert client.get("/readyz").status_code == 503
        folder.unlink()
        assert client.get("/readyz").status_code == 200


def test_a_log_deleted_underneath_is_begun_anew(trained, serve, tmp_path, applicant):
    service = serve(trained)
    with httpx.Client(base_url=service.url, timeout=30) as client:
        client.post("/predict", json={"applicants": [applicant | {"application_id": "first"}]})
        shutil.rmtree(tmp_path / "var" / "decisions")
        client.post("/predict", json={"applicants": [applicant | {"application_id": "second"}]})
    assert records(tmp_path / "var").keys() == {"second"}


def test_a_profiler_that_cannot_write_leaves_serving_alone(trained, serve, tmp_path, applicant):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "profiles").write_text("in the way")
    service = serve(trained, SCORER_INTERVAL_S="0.1")
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for _ in range(5):
            assert client.post("/predict", json={"applicants": [applicant]}).status_code == 200
            time.sleep(0.2)
