"""Who may call over HTTP: keys, other machines, and what they are told."""

import hashlib
import json
import os
import re
import socket
import subprocess
import sys

import httpx
import psutil
import pytest

from tests.conftest import Server, apart
from tests.service.conftest import announced, metric, records, until

SECRETS = {"scorer": "scorer_1", "reader": "scorer_2", "slow": "scorer_3", "both": "scorer_4"}
MAY = {"scorer": "predict", "reader": "read", "slow": "predict", "both": "predict, read"}


def entry(name: str, more: str = "") -> str:
    digest = hashlib.sha256(SECRETS[name].encode()).hexdigest()
    return f"  - name: {name}\n    sha256: {digest}\n    permissions: [{MAY[name]}]\n{more}"


SLOWLY = "    requests_per_s: 0.01\n    burst: 2\n"
FILE = "keys:\n" + entry("scorer") + entry("reader") + entry("slow", SLOWLY) + entry("both")


@pytest.fixture(scope="module")
def keyed(trained, tmp_path_factory):
    """A service that asks for keys, and its key file."""
    home = tmp_path_factory.mktemp("keyed")
    path = home / "keys.yaml"
    path.write_text(FILE)
    variables = {"SCORER_KEYS_FILE": str(path), "SCORER_KEYS_WITHOUT_TLS": "true"}
    server = Server(apart(trained, home) | variables, home / "serve.log", options=())
    yield server, path
    server.stop()
    said = server.log.read_text()
    assert not [secret for secret in SECRETS.values() if secret in said]
    assert "Traceback" not in said, said


@pytest.fixture
def caller(keyed):
    """An HTTP client of that service, without a key."""
    with httpx.Client(base_url=keyed[0].url, timeout=30) as client:
        yield client


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRETS[name]}"}


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, str]:
    assert answer.status_code == status, answer.text
    error: dict[str, str] = answer.json()["error"]
    assert error["code"] == code
    return error


READ = ["/model", "/model/card", "/", "/docs.json", "/schema.json", "/metrics", "/nowhere", "/static_content/index.css"]


@pytest.mark.parametrize("path", READ)
def test_reading_needs_read(caller, path):
    refused = caller.get(path)
    error_of(refused, 401, "unauthenticated")
    assert refused.headers["www-authenticate"] == "Bearer"
    error_of(caller.get(path, headers=bearer("scorer")), 403, "forbidden")
    assert caller.get(path, headers=bearer("reader")).status_code == (404 if path == "/nowhere" else 200)


def test_the_document_says_how_a_key_is_brought(caller):
    document = caller.get("/docs.json", headers=bearer("reader")).json()
    assert set(document["components"]["securitySchemes"]) == {name for form in document["security"] for name in form}
    assert {"401", "403", "429"} <= document["paths"]["/predict"]["post"]["responses"].keys()


@pytest.mark.parametrize("path", ["/predict", "/explain", "/v2/models/german_credit/infer"])
def test_scoring_needs_predict(caller, path):
    error_of(caller.post(path, json={}), 401, "unauthenticated")
    error_of(caller.post(path, json={}, headers=bearer("reader")), 403, "forbidden")
    assert caller.post(path, json={}, headers=bearer("scorer")).status_code in (400, 404, 405)


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/model"), ("POST", "/model"), ("PUT", "/predict")])
def test_what_changes_something_needs_admin_where_nothing_else_is_said(caller, method, path):
    error_of(caller.request(method, path, headers=bearer("both")), 403, "forbidden")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_health_is_open_to_everybody(caller, path):
    assert caller.get(path).status_code == 200


def test_a_key_is_taken_in_either_form(caller, keyed, german_applicants):
    body = {"applicants": german_applicants[:1]}
    forms = (
        bearer("scorer"),
        {"authorization": f"bearer  {SECRETS['scorer']}"},
        {"x-api-key": SECRETS["scorer"]},
        {"authorization": "Basic eDp5", "x-api-key": SECRETS["scorer"]},
    )
    for form in forms:
        assert caller.post("/predict", json=body, headers=form).status_code == 200
    for form in ({"x-api-key": "scorer_9"}, {"authorization": SECRETS["scorer"]}, {"authorization": "Bearer"}):
        error_of(caller.post("/predict", json=body, headers=form), 401, "unauthenticated")


def test_outcomes_need_a_permission_of_their_own(caller):
    sent = {"outcomes": [{"application_id": "a", "event": True, "observed_at": "2026-11-25T12:00:00Z"}]}
    error_of(caller.post("/feedback", json=sent), 401, "unauthenticated")
    for name in ("scorer", "reader", "both"):
        error = error_of(caller.post("/feedback", json=sent, headers=bearer(name)), 403, "forbidden")
        assert "feedback" in error["message"]


CLIENT = """
import json, sys, bentoml
with bentoml.SyncHTTPClient(sys.argv[1], token=sys.argv[2]) as client:
    print(json.dumps(client.predict(applicants=json.loads(sys.argv[3]))))
"""


def test_the_client_of_bentoml_brings_a_key_as_its_token(keyed, german_applicants):
    arguments = (keyed[0].url, SECRETS["both"], json.dumps(german_applicants[:1]))
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (prediction,) = json.loads(done.stdout)
    assert 0 < prediction["probability"] < 1


def test_the_announced_request_works_once_a_key_is_in_the_environment(keyed):
    (said,) = announced(keyed[0])
    assert "python -m serving.access new" in said["key"]
    for secret, answered in ((SECRETS["scorer"], '"decision"'), ("", '"unauthenticated"')):
        done = subprocess.run(
            ["bash", "-c", said["try"]],
            env=os.environ | {"SCORER_KEY": secret},
            capture_output=True,
            text=True,
            check=True,
        )
        assert answered in done.stdout


def test_a_refused_caller_is_not_scored_is_counted_and_keeps_its_connection(caller, keyed, german_applicants):
    counted = metric_of(caller, 'scorer_rejected_total{reason="unauthenticated"')
    logged = metric_of(caller, "scorer_logged_rows_total")
    body = {"applicants": [german_applicants[0] | {"application_id": "private-keyless"}] * 10_000}  # 6 MB
    for _ in range(3):
        error_of(caller.post("/predict", json=body), 401, "unauthenticated")
    assert metric_of(caller, 'scorer_rejected_total{reason="unauthenticated"') == counted + 3
    assert metric_of(caller, "scorer_logged_rows_total") == logged
    assert "private-keyless" not in records(keyed[1].parent / "var")


def metric_of(caller: httpx.Client, name: str) -> float:
    with httpx.Client(base_url=caller.base_url, headers=bearer("reader")) as reader:
        return metric(reader, name)


def test_a_caller_over_its_rate_gets_retry_after(caller):
    answers = [caller.post("/predict", json={}, headers=bearer("slow")) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 429, 429]
    error_of(answers[-1], 429, "too_many_requests")
    (wait,) = answers[-1].headers.get_list("retry-after")
    assert 50 < int(wait) <= 100
    assert caller.post("/predict", json={}, headers=bearer("scorer")).status_code == 400, "others may"


def test_keys_are_changed_without_a_restart_and_a_broken_file_changes_nothing(caller, keyed):
    _, path = keyed

    def status() -> int:
        return caller.get("/model", headers=bearer("both")).status_code

    assert status() == 200
    path.write_text(FILE.replace(entry("both"), ""))
    until(lambda: status() == 401)
    path.write_text(FILE)
    until(lambda: status() == 200)
    path.write_text(FILE[:-20] + "]")
    until(lambda: metric_of(caller, "scorer_keys_file_broken") == 1)
    assert status() == 200
    path.write_text(FILE)
    until(lambda: metric_of(caller, "scorer_keys_file_broken") == 0)


def test_an_id_that_is_brought_comes_back_and_an_error_always_has_one(caller, german_applicants):
    body = {"applicants": german_applicants[:1]}
    for headers in (bearer("scorer"), {}):
        answer = caller.post("/predict", json=body, headers=headers | {"x-request-id": "order 66"})
        assert answer.headers.get_list("x-request-id") == ["order 66"]
    assert "x-request-id" not in caller.post("/predict", json=body, headers=bearer("scorer")).headers
    refused = [
        caller.post("/predict", json={}),
        caller.post("/predict", json={}, headers=bearer("scorer")),
        caller.get("/nowhere", headers=bearer("reader")),
        caller.post("/predict", json={}, headers=bearer("scorer") | {"x-request-id": "x" * 65}),
        caller.post("/predict", json={}, headers=bearer("scorer") | {"x-request-id": "a\tb"}),
    ]
    ids = [answer.headers["x-request-id"] for answer in refused]
    assert len(set(ids)) == len(ids)
    assert [made for made in ids if not re.fullmatch("[0-9a-f]{32}", made)] == []


# Other machines


@pytest.fixture(scope="module")
def elsewhere() -> str:
    """An address of this machine by which others reach it."""
    found = [
        address.address
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == socket.AF_INET
        and not address.address.startswith("127.")
        and psutil.net_if_stats()[name].isup
    ]
    if not found:
        pytest.skip("this machine has no address but loopback")
    return found[0]


def test_without_keys_the_service_listens_to_this_machine_alone(service, elsewhere):
    assert httpx.get(f"{service.url}/model").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{elsewhere}:{service.port}/model")


def test_without_keys_other_machines_are_refused_whatever_the_host_and_the_proxy_say(trained, tmp_path, elsewhere):
    """`FORWARDED_ALLOW_IPS=*` lets any caller say from where it comes."""
    environment = apart(trained, tmp_path) | {"FORWARDED_ALLOW_IPS": "*"}
    server = Server(environment, tmp_path / "serve.log", options=("--host", "0.0.0.0"))
    try:
        assert httpx.get(f"{server.url}/model").status_code == 200
        assert httpx.get(f"http://{elsewhere}:{server.port}/readyz").status_code == 200
        assert [said["page"] for said in announced(server)] == [f"http://localhost:{server.port}"]
        for url, headers in (
            (f"http://{elsewhere}:{server.port}/model", {}),
            (f"http://{elsewhere}:{server.port}/model", {"x-forwarded-for": "127.0.0.1"}),
            (f"{server.url}/model", {"x-forwarded-for": "192.0.2.7"}),
        ):
            message = error_of(httpx.get(url, headers=headers), 403, "forbidden")["message"]
            assert "keys_file" in message
            assert "SCORER_OPEN_TO_NETWORK=true" in message
    finally:
        server.stop()


def test_other_machines_are_served_where_they_have_a_key(keyed, elsewhere):
    url = f"http://{elsewhere}:{keyed[0].port}/model"
    assert httpx.get(url, headers=bearer("reader")).status_code == 200
    assert httpx.get(url).status_code == 401


def test_other_machines_are_served_where_the_setting_says_so(trained, tmp_path, elsewhere):
    setting = {"SCORER_OPEN_TO_NETWORK": "true"}
    server = Server(apart(trained, tmp_path) | setting, tmp_path / "serve.log", options=())
    try:
        assert httpx.get(f"http://{elsewhere}:{server.port}/model").status_code == 200
    finally:
        server.stop()
