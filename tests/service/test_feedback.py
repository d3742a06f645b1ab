"""Outcomes over sockets: reported, known by every worker, kept through kill -9, and looked at by the command."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import jsonschema
import msgspec

from configs.monitoring import read_monitoring
from monitoring.records.outcomes import OutcomeStore
from tests.conftest import ROOT
from tests.service.test_pages import as_json_schema

SEEN = "2026-11-25T12:00:00Z"


def outcomes(ids, event=True, observed_at=SEEN):
    return {"outcomes": [{"application_id": one, "event": event, "observed_at": observed_at} for one in ids]}


def test_outcomes_of_scored_applicants_are_known_and_counted(client, german_applicants, count):
    ids = [f"private-feedback-{number}" for number in range(5)]
    scored = [applicant | {"application_id": one} for applicant, one in zip(german_applicants, ids, strict=False)]
    assert client.post("/predict", json={"applicants": scored[:4]}).status_code == 200
    before = count('scorer_outcomes_total{result="accepted"')
    answer = client.post("/feedback", json=outcomes(ids))
    assert answer.json() == {"accepted": 5, "repeated": 0, "corrected": 0, "unknown": ids[4:]}
    again = client.post("/feedback", json=outcomes(ids[:1]))
    assert again.json()["repeated"] == 1
    corrected = client.post("/feedback", json=outcomes(ids[:2], event=False, observed_at="2026-11-26T00:00:00Z"))
    assert corrected.json()["corrected"] == 2
    assert count('scorer_outcomes_total{result="accepted"') == before + 5


def test_the_document_describes_the_route_and_its_answer(client):
    document = client.get("/docs.json").json()
    route = document["paths"]["/feedback"]["post"]
    content = route["requestBody"]["content"]["application/json"]
    schema = as_json_schema(route["responses"]["200"]["content"]["application/json"]["schema"])
    answer = client.post("/feedback", json=content["example"]).json()
    jsonschema.validate(answer, schema | {"components": as_json_schema(document["components"])})
    body = as_json_schema(content["schema"]) | {"components": as_json_schema(document["components"])}
    jsonschema.validate(content["example"], body)


def test_what_was_answered_is_there_after_kill_9_of_the_service_and_in_the_performance(
    trained, serve, tmp_path, german_applicants
):
    """Two workers; every answered outcome is in the store, and the command joins it with its decision."""
    server = serve(trained, workers=2)
    ids = [f"A-{number}" for number in range(200)]
    applicants = [applicant | {"application_id": one} for applicant, one in zip(german_applicants, ids, strict=False)]
    assert httpx.post(f"{server.url}/predict", json={"applicants": applicants}, timeout=60).status_code == 200
    answered = []
    for start in range(0, 200, 20):
        answer = httpx.post(
            f"{server.url}/feedback", json=outcomes(ids[start : start + 20], event=start % 60 == 0), timeout=60
        )
        assert answer.json() == {"accepted": 20, "repeated": 0, "corrected": 0, "unknown": []}, "by either worker"
        answered += ids[start : start + 20]
    os.killpg(server.process.pid, signal.SIGKILL)
    settings = msgspec.structs.replace(read_monitoring(), directory=str(tmp_path / "var"))
    with OutcomeStore(settings) as store:
        assert store.events(ids).keys() == set(answered)
    done = subprocess.run(
        [sys.executable, "-m", "monitoring", "performance", "--json"],
        cwd=ROOT,
        env=os.environ | {"SCORER_DIRECTORY": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    found = json.loads(done.stdout)
    assert (found["model"], found["rows"], found["with_outcome"]) == (trained.tag, 200, 200)
    assert found["groups"], "the version is kept beside the records"
    assert datetime.fromisoformat(found["until"]) <= datetime.now(UTC)
