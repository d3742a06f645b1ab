"""Who may see a past decision, and the record of what callers were told."""

import base64
import hashlib
import json
import os
import stat

import httpx
import pytest

from monitoring.records.lines import framed
from monitoring.records.segments import archives, explanations_directory, read, segments
from tests.conftest import ROOT, Server, apart
from tests.forks import SERVICE
from tests.service.conftest import metric

MAY = {"one": "predict, read", "other": "predict", "auditor": "predict, read_all"}


def entry(name):
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"  - name: {name}\n    sha256: {digest}\n    permissions: [{MAY[name]}]\n"


@pytest.fixture(scope="module")
def keyed(trained, tmp_path_factory):
    """A service with three keys, and the directory of its records."""
    home = tmp_path_factory.mktemp("owners")
    (home / "keys.yaml").write_text("keys:\n" + "".join(map(entry, MAY)))
    server = Server(apart(trained, home) | {"SCORER_KEYS_FILE": str(home / "keys.yaml")}, home / "serve.log")
    yield server, home / "var"
    server.stop()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def ask(keyed):
    """`ask(key, path, body)`: the answer to a request with that key."""
    with httpx.Client(base_url=keyed[0].url, timeout=60) as client:
        yield lambda key, path, body, **headers: client.post(path, json=body, headers={"x-api-key": key, **headers})


def explained(directory):
    """Every explanation in the log, oldest first, with model and file."""
    logged = explanations_directory(directory)
    return [
        (row, batch.model, segment) for segment in segments(logged) for batch, _ in read(segment) for row in batch.rows
    ]


def run(directory, *arguments, **variables):
    return SERVICE.run("monitoring", arguments, ROOT, os.environ | {"SCORER_DIRECTORY": str(directory)} | variables)


def monitoring(directory, *arguments):
    done = run(directory, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def without_id(answer):
    return answer.status_code, answer.content, {name for name, _ in answer.headers.items()}


def test_a_key_explains_what_it_scored_and_another_is_told_that_there_is_no_such_decision(ask, german_applicants):
    applicant = german_applicants[0] | {"application_id": "private-mine"}
    ask("one", "/predict", {"applicants": [applicant]}).raise_for_status()
    past = {"application_id": "private-mine"}
    assert ask("one", "/explain", past).status_code == 200
    assert ask("auditor", "/explain", past).status_code == 200
    refused, unknown = ask("other", "/explain", past), ask("other", "/explain", {"application_id": "private-nobody"})
    assert without_id(refused) == without_id(unknown)
    assert refused.status_code == 404


def test_an_id_that_two_keys_use_is_explained_to_each_as_its_own(ask, german_applicants):
    for key, row in (("one", 0), ("other", 1)):
        asked = german_applicants[row] | {"application_id": "private-1"}
        ask(key, "/predict", {"applicants": [asked]}).raise_for_status()
    told = {key: ask(key, "/explain", {"application_id": "private-1"}).json()[0]["probability"] for key in MAY}
    assert told["one"] != told["other"]
    assert told["auditor"] == told["other"], "the newest of all"


def test_rows_of_an_earlier_version_are_nobodys(ask, keyed, trained, german_applicants):
    values = german_applicants[0] | {"application_id": "private-earlier"}
    batch = {
        "sequence": 0,
        "time": "2026-01-01T00:00:00Z",
        "model": trained.tag,
        "fields": list(values),
        "rows": [["http", 0.5, "decline", list(values.values())]],
    }
    (keyed[1] / "decisions/20260101T000000.000000Z-1-00000000.log").write_bytes(framed(json.dumps(batch).encode()))
    past = {"application_id": "private-earlier"}
    assert ask("one", "/explain", past).status_code == 404
    assert ask("auditor", "/explain", past).status_code == 200


def test_an_explanation_is_recorded_before_its_answer_leaves(ask, keyed, trained, german_applicants):
    declined = german_applicants[1] | {"application_id": "private-told"}
    (told,) = ask("one", "/explain", {"applicants": [declined]}, **{"x-request-id": "order 66"}).json()
    assert told["reasons"], "of an applicant who is declined"
    row, model, path = explained(keyed[1])[-1]
    assert (model, row.protocol, row.caller, row.request_id) == (trained.tag, "http", "one", "order 66")
    assert (row.probability, row.decision) == (told["probability"], told["decision"])
    assert row.applicant == {"application_id": "private-told", "reasons": told["reasons"]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_of_a_past_decision_too_and_what_is_refused_is_not(ask, keyed, german_applicants):
    asked = german_applicants[2] | {"application_id": "private-past"}
    ask("one", "/predict", {"applicants": [asked]}).raise_for_status()
    before = len(explained(keyed[1]))
    for key, body, status in (
        ("other", {"application_id": "private-past"}, 404),
        ("one", {"applicants": [asked | {"housing": "castle"}]}, 422),
        ("auditor", {"application_id": "private-past"}, 200),
    ):
        assert ask(key, "/explain", body).status_code == status
    found = explained(keyed[1])
    assert len(found) == before + 1
    assert (found[-1][0].caller, found[-1][0].applicant["application_id"]) == ("auditor", "private-past")


def test_erasing_an_applicant_reaches_the_explanations_and_no_others(trained, serve, tmp_path, german_applicants):
    key = base64.b64encode(bytes(32)).decode()
    for number, variables in enumerate(({}, {"SCORER_LOG_KEY": key})):
        directory = tmp_path / f"records{number}"
        service = serve(trained, SCORER_DIRECTORY=str(directory), **variables)
        asked = [german_applicants[row] | {"application_id": f"private-{row}"} for row in range(2)]
        for path in ("predict", "explain"):
            httpx.post(f"{service.url}/{path}", json={"applicants": asked}, timeout=60).raise_for_status()
        (logged,) = segments(explanations_directory(directory))
        assert (b"private-0" in logged.read_bytes()) is not bool(variables)
        environment = os.environ | {"SCORER_DIRECTORY": str(directory)} | variables
        done = SERVICE.run("monitoring", ["erase", "-"], ROOT, environment, "private-0\n")
        assert done.stdout == "erased 1 row\nerased 1 explanation\n"
        httpx.post(f"{service.url}/explain", json={"applicants": asked[1:]}, timeout=60).raise_for_status()
        service.stop()
        if not variables:
            found = [row.applicant.get("application_id") for row, _, _ in explained(directory)]
            assert found == [None, "private-1", "private-1"]
            assert b"private-0" not in logged.read_bytes()


def test_explanations_are_verified_and_deleted_as_decisions_are(trained, serve, tmp_path, example):
    directory = tmp_path / "var"
    service = serve(trained)
    httpx.post(f"{service.url}/explain", json={"applicants": [example]}, timeout=60).raise_for_status()
    service.stop()
    assert monitoring(directory, "verify") == "intact: 1 row in 1 segment\n"
    (logged,) = segments(explanations_directory(directory))
    content = logged.read_bytes()
    place = content.index(b'"application_id"') + 3
    logged.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    found = run(directory, "verify", "--json")
    assert found.returncode == 3
    assert {one["segment"] for one in json.loads(found.stdout)["broken"]} == {f"explanations/{logged.name}"}
    os.utime(logged, (0, 0))
    deleted = run(directory, "retain", SCORER_RETENTION_DAYS="30").stdout
    assert deleted == "deleted 1 segment and 0 archives older than 30 days\n"
    assert not segments(explanations_directory(directory))


def test_where_explanations_cannot_be_logged_the_setting_decides(trained, serve, tmp_path, example):
    for policy, status in (("refuse", 503), ("score", 200)):
        directory = tmp_path / policy
        service = serve(trained, SCORER_DIRECTORY=str(directory), SCORER_WHEN_LOG_FAILS=policy)
        explanations_directory(directory).write_text("in the way")
        with httpx.Client(base_url=service.url, timeout=60) as client:
            answer = client.post("/explain", json={"applicants": [example]})
            assert answer.status_code == status, answer.text
            assert policy == "score" or "the log of explanations cannot be written" in answer.text
            assert metric(client, "scorer_unlogged_explanations_total") == 1
            assert client.post("/predict", json={"applicants": [example]}).status_code == 200
            explanations_directory(directory).unlink()
            assert client.post("/explain", json={"applicants": [example]}).status_code == 200
        service.stop()
        assert len(explained(directory)) == 1


def test_archived_rows_have_the_same_owners(trained, serve, tmp_path, german_applicants):
    (tmp_path / "keys.yaml").write_text("keys:\n" + "".join(map(entry, MAY)))
    keys = {"SCORER_KEYS_FILE": str(tmp_path / "keys.yaml")}
    service = serve(trained, **keys)
    body = {"applicants": [german_applicants[0] | {"application_id": "private-archived"}]}
    httpx.post(f"{service.url}/predict", json=body, headers={"x-api-key": "one"}, timeout=60).raise_for_status()
    service.stop()
    directory = tmp_path / "var"
    monitoring(directory, "catch-up")
    monitoring(directory, "compact")
    assert archives(directory)
    assert not segments(directory)
    service = serve(trained, **keys)
    past = {"application_id": "private-archived"}
    answers = {
        key: httpx.post(f"{service.url}/explain", json=past, headers={"x-api-key": key}, timeout=60) for key in MAY
    }
    assert {key: answer.status_code for key, answer in answers.items()} == {"one": 200, "other": 404, "auditor": 200}
    service.stop()
    without_keys = serve(trained)
    assert httpx.post(f"{without_keys.url}/explain", json=past, timeout=60).status_code == 200
