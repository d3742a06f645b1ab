"""BentoML's own configuration: what it promises for every response holds on the routes that have a fast path, too."""

import json
import re
import time
from pathlib import Path

import httpx
import pytest
import yaml

from tests.conftest import Server, apart
from tests.service.test_keys import FILE, SECRETS

ORIGIN = "http://a.example"
CORS = {"http": {"cors": {"enabled": True, "access_control_allow_origins": [ORIGIN]}}}
CORS["http"]["cors"] |= {"access_control_allow_methods": ["*"], "access_control_allow_headers": ["*"]}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-api-key"}
INFER = "/v2/models/german_credit/infer"


def configured(trained, home: Path, config: dict, **variables: str) -> Server:
    """A service with a file for BENTOML_CONFIG."""
    home.mkdir(exist_ok=True)
    path = home / "bentoml.yaml"
    path.write_text(yaml.safe_dump({"services": {"credit_scorer": config}}))
    return Server(apart(trained, home) | {"BENTOML_CONFIG": str(path)} | variables, home / "serve.log")


@pytest.fixture(scope="module")
def cross_origin(trained, tmp_path_factory):
    """A service with keys that pages of ORIGIN may call."""
    home = tmp_path_factory.mktemp("cors")
    (home / "keys.yaml").write_text(FILE)
    server = configured(trained, home, CORS, SCORER_KEYS_FILE=str(home / "keys.yaml"))
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("method", "path", "content", "key", "status"),
    [
        ("POST", "/predict", "applicants", "both", 200),
        ("POST", "/predict", "{}", "both", 400),
        ("POST", "/predict", "applicants", None, 401),
        ("POST", "/predict", "applicants", "reader", 403),
        ("POST", "/explain", "applicants", "both", 200),
        ("POST", INFER, '{"inputs": []}', "both", 422),
        ("POST", "/v2/models/nope/infer", "{}", "both", 404),
        ("GET", "/model", None, "both", 200),
        ("GET", "/nowhere", None, "both", 404),
        ("OPTIONS", "/predict", None, None, 200),
        ("OPTIONS", INFER, None, None, 200),
    ],
)
def test_every_answer_has_the_headers_of_cors_and_a_preflight_needs_no_key(
    cross_origin, method, path, content, key, status
):
    """A browser sends no key with a preflight, and shows a page no refusal without the header."""
    with httpx.Client(base_url=cross_origin.url, timeout=30) as client:
        if content == "applicants":
            model = client.get("/model", headers={"x-api-key": SECRETS["reader"]}).json()
            content = json.dumps({"applicants": [model["example"]]})
        headers = {"origin": ORIGIN} | (PREFLIGHT if method == "OPTIONS" else {})
        headers |= {"x-api-key": SECRETS[key]} if key else {}
        answer = client.request(method, path, content=content, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers.get_list("access-control-allow-origin") == [ORIGIN]
        other = client.request(method, path, content=content, headers=headers | {"origin": "http://b.example"})
        assert "access-control-allow-origin" not in other.headers
    assert "no fast path, as BentoML's configuration has CORS" in cross_origin.log.read_text()


def test_access_log_metrics_tracing_and_concurrency_see_predictions_and_the_start_says_so(trained, tmp_path):
    config = {
        "logging": {"access": {"enabled": True}},
        "metrics": {"enabled": True},
        "traffic": {"max_concurrency": 50},
        "tracing": {"excluded_urls": "/livez,/readyz", "exporter_type": "in_memory", "sample_rate": 1.0},
    }
    server = configured(trained, tmp_path, config)
    with httpx.Client(base_url=server.url, timeout=30) as client:
        body = json.dumps({"applicants": [client.get("/model").json()["example"]]})
        for path in ("/predict", "/explain"):
            assert client.post(path, content=body).status_code == 200
        assert client.post(INFER, content='{"inputs": []}').status_code == 422
        text = client.get("/metrics").text
    for path in ("/predict", "/explain", INFER):
        assert re.search(rf'^bentoml_service_request_total{{.*"{path}".*}} 1.0$', text, re.MULTILINE), path
    server.stop()
    said = server.log.read_text()
    for path in ("/predict", "/explain", INFER):
        assert len(re.findall(rf"path={path},.*sampled=1", said)) == 1, path
    assert said.count("no fast path, as BentoML's configuration has metrics.enabled, tracing, the access log") == 1
    assert "traffic.max_concurrency: fewer" in said
    assert "Traceback" not in said


def test_a_shorter_timeout_of_bentoml_holds_for_predictions(trained, tmp_path):
    server = configured(trained, tmp_path, {"traffic": {"timeout": 2}})
    with httpx.Client(base_url=server.url, timeout=30) as client:

        def slowly():
            yield b'{"applicants": ['
            time.sleep(4)
            yield b"]}"

        assert client.post("/predict", content=slowly()).status_code == 504
    server.stop()
    assert "has traffic.timeout" in server.log.read_text()


def test_a_tracing_exporter_that_gets_nothing_is_mentioned_and_nothing_else_costs_the_fast_path(trained, tmp_path):
    server = configured(trained, tmp_path, {"tracing": {"exporter_type": "in_memory"}, "http": {"response": {}}})
    server.stop()
    said = server.log.read_text()
    assert "BentoML's configuration has a tracing exporter, and tracing is off: set tracing_endpoint" in said
    assert "no fast path" not in said


def test_a_service_without_such_a_configuration_keeps_its_fast_path(service):
    assert "no fast path" not in service.log.read_text()
