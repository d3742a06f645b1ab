"""`access_log` and `bentoml_metrics`, where they are on: callers neither forge a line nor fill `/metrics`."""

import re

import httpx
import pytest

from tests.conftest import Server, apart
from tests.service.conftest import LINE, until
from tests.serving.http.test_protocol import ask, statuses

PATHS = 300


@pytest.fixture(scope="module")
def observed(trained, tmp_path_factory):
    """A service with both on."""
    home = tmp_path_factory.mktemp("observed")
    settings = {"SCORER_ACCESS_LOG": "true", "SCORER_BENTOML_METRICS": "true"}
    server = Server(apart(trained, home) | settings, home / "serve.log")
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


def test_only_known_routes_are_labels_however_many_paths_are_asked_for(observed, example):
    with httpx.Client(base_url=observed.url, timeout=30) as client:
        for number in range(PATHS):
            for path in (f"/x{number}", f"/v2/models/m{number}", f"/predict/{number}", f"/static_content/{number}"):
                assert client.get(path).status_code == 404
        assert client.post("/predict", json={"applicants": [example]}).status_code == 200
        assert client.get("/v2/models/german_credit").status_code == 200
        text = client.get("/metrics").text
    labels = set(re.findall(r'^bentoml_service_\w+\{.*?endpoint="([^"]*)"', text, re.MULTILINE))
    assert {"/predict", "/v2/models/german_credit", "other", "/static_content"} <= labels
    assert [label for label in labels if re.search(r"\d\d", label)] == []
    assert len(text) < 200_000
    total = re.search(r'^bentoml_service_request_total\{endpoint="other",.*"404".*\} (\S+)$', text, re.MULTILINE)
    assert total
    assert float(total[1]) >= 3 * PATHS


@pytest.mark.parametrize(
    ("target", "header", "shown"),
    [
        ("/model%0a2026-01-01T00:00:00+0000%20[ERROR]%20[x]%20forged", "a: b", "path=/model%0A2026"),
        ("/model%1b[2J", "a: b", "path=/model%1B%5B2J"),
        ("/model)%20(status=200", "a: b", "path=/model%29%20%28status%3D200"),
        ("/caf%c3%a9", "a: b", "path=/caf%C3%A9"),
        ("/latin", "content-type: \xff\xfe", "type=%FF%FE"),
        ("/forged-type", "content-type: a,length=7) (status=200", "type=a%2Clength=7%29 %28status=200"),
        ("/forged-address", "x-forwarded-for: 1.2.3.4 (scheme=http", "1.2.3.4%20%28scheme%3Dhttp"),
    ],
)
def test_a_request_is_one_line_whatever_is_in_it(observed, target, header, shown):
    before = observed.log.read_text()
    head = f"GET {target} HTTP/1.1\r\nhost: localhost\r\n{header}\r\nconnection: close\r\n\r\n".encode("latin-1")
    assert statuses(ask(observed.port, head))[0] in (403, 404)
    until(lambda: shown in observed.log.read_text())
    added = observed.log.read_text()[len(before) :].splitlines()
    assert len([line for line in added if "[bentoml.access]" in line or "scheme=http" in line]) == 1
    assert [line for line in added if not LINE.fullmatch(line)] == []
    assert "forged\n" not in observed.log.read_text().replace(shown, "")
