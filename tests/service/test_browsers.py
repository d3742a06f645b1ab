"""Pages of other sites in a browser on this machine, proxies on it, and programs: who is a neighbour without a key."""

import json
import subprocess

import pytest

from tests.conftest import Server, apart
from tests.service.conftest import records
from tests.serving.http.test_protocol import ask, statuses

INFER = "/v2/models/german_credit/infer"
GUARDED = [
    ("POST", "/predict"),
    ("POST", "/predict?x=1"),
    ("POST", "/explain"),
    ("POST", INFER),
    ("GET", "/model"),
    ("GET", "/"),
    ("GET", "/docs.json"),
    ("GET", "/schema.json"),
    ("GET", "/metrics"),
    ("GET", "/v2"),
    ("GET", "/static_content/swagger-ui.css"),
    ("GET", "/nowhere"),
    ("OPTIONS", "/predict"),
]
FOREIGN = {
    "rebound host": ["host: rebound.example:{port}"],
    "host that begins well": ["host: localhost.rebound.example"],
    "host that ends well": ["host: rebound.example.localhost:{port}"],
    "host with an odd port": ["host: localhost:1:2"],
    "address of another machine": ["host: 192.0.2.7"],
    "empty host": ["host:"],
    "good host and a second": ["host: rebound.example", "host: localhost"],
    "foreign origin": ["host: localhost:{port}", "origin: https://bad.example", "content-type: text/plain"],
    "another port of this machine": ["host: localhost:{port}", "origin: http://localhost:1"],
    "hidden origin": ["host: localhost:{port}", "origin: null"],
    "hidden origin of the same site": ["host: localhost:{port}", "origin: null", "sec-fetch-site: same-site"],
    "cross-site": ["host: localhost:{port}", "sec-fetch-site: cross-site", "sec-fetch-mode: no-cors"],
    "cross-site with our origin": ["host: localhost", "origin: http://localhost", "sec-fetch-site: cross-site"],
    "x-forwarded-for": ["host: localhost", "x-forwarded-for: 192.0.2.7"],
    "x-forwarded-for of this machine": ["host: localhost", "x-forwarded-for: 127.0.0.1"],
    "x-forwarded-for with a port": ["host: localhost", "x-forwarded-for: 127.0.0.1:443"],
    "x-forwarded-for in brackets": ["host: localhost", "X-Forwarded-For: [::1]:443"],
    "x-forwarded-for twice": ["host: localhost", "x-forwarded-for: 192.0.2.7", "x-forwarded-for: 127.0.0.1"],
    "x-forwarded-for empty": ["host: localhost", "x-forwarded-for:"],
    "forwarded": ["host: localhost", 'forwarded: for="[::1]:47011";proto=http'],
    "x-real-ip": ["host: localhost", "x-real-ip: 127.0.0.1"],
    "via": ["host: localhost", "via: 1.1 proxy"],
}
FRIENDLY = {
    "curl": ["host: 127.0.0.1:{port}", "user-agent: curl/8", "accept: */*"],
    "a form of curl": ["host: localhost:{port}", "content-type: application/x-www-form-urlencoded"],
    "IPv6": ["host: [::1]:{port}"],
    "no port": ["host: LOCALHOST"],
    "the page of the service": [
        "host: localhost:{port}",
        "origin: http://localhost:{port}",
        "sec-fetch-site: same-origin",
    ],
    "the page, hidden by its referrer policy": [
        "host: localhost:{port}",
        "origin: null",
        "sec-fetch-site: same-origin",
    ],
    "a browser without fetch metadata": ["host: 127.0.0.1:{port}", "origin: http://127.0.0.1:{port}"],
    "an address that was typed": ["host: localhost:{port}", "sec-fetch-site: none", "sec-fetch-mode: navigate"],
}


@pytest.fixture(scope="module")
def body(example):
    """What a page would send, with an id that must not be recorded."""
    return json.dumps({"applicants": [example | {"application_id": "private-page"}]}).encode()


def request(
    service: Server, method: str, path: str, lines: list[str], body: bytes = b"", version: str = "1.1"
) -> bytes:
    head = [f"{method} {path} HTTP/{version}", *(line.replace("{port}", str(service.port)) for line in lines)]
    if method == "POST":
        head.append(f"content-length: {len(body)}")
    return "\r\n".join([*head, "connection: close", "", ""]).encode() + (body if method == "POST" else b"")


@pytest.mark.parametrize(("method", "path"), GUARDED, ids=[path for _, path in GUARDED])
@pytest.mark.parametrize("lines", FOREIGN.values(), ids=FOREIGN)
def test_no_route_answers_a_page_of_another_site_or_what_a_proxy_passed_on(service, body, method, path, lines):
    received = ask(service.port, request(service, method, path, lines, body))
    assert statuses(received) == [403], received
    assert b'"code":"forbidden"' in received


def test_what_was_refused_is_not_in_the_decision_log(service):
    assert "private-page" not in records(service.log.parent / "var")


@pytest.mark.parametrize("path", ["/predict", "/predict?x=1", INFER, "/model"])
@pytest.mark.parametrize("lines", FRIENDLY.values(), ids=FRIENDLY)
def test_programs_and_the_page_of_the_service_are_answered(service, example, path, lines):
    sent = json.dumps({"applicants": [example]}).encode()
    expected = 400 if path == INFER else 200  # it is not the body of V2
    received = ask(service.port, request(service, "GET" if path == "/model" else "POST", path, lines, sent))
    assert statuses(received) == [expected], received


def test_a_program_may_leave_the_host_out(service):
    for version in ("1.0", "1.1"):
        assert statuses(ask(service.port, request(service, "GET", "/model", [], version=version))) == [200]


def test_the_host_in_the_target_goes_before_the_header(service):
    for target, status in (("http://rebound.example/model", 403), (f"http://localhost:{service.port}/model", 200)):
        received = ask(service.port, request(service, "GET", target, ["host: localhost"]))
        assert statuses(received) == [status]
    received = ask(service.port, request(service, "GET", "http://localhost/model", ["host: rebound.example"]))
    assert statuses(received) == [200]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"])
def test_health_is_answered_whatever_the_host_as_probes_name_the_address_of_a_pod(service, path):
    for lines in (["host: 10.1.2.3:3000"], *FOREIGN.values()):
        assert statuses(ask(service.port, request(service, "GET", path, lines))) == [200]


def test_curl_goes_on_working_as_it_comes(service, example):
    sent = json.dumps({"applicants": [example]})
    for options in ([], ["-0"], ["-H", "content-type: text/plain"], ["-H", "content-type;"]):
        done = subprocess.run(
            ["curl", "-s", f"{service.url}/predict", *options, "-d", sent], capture_output=True, text=True, check=True
        )
        assert '"decision"' in done.stdout, options


@pytest.mark.parametrize(
    "path", ["/model/", "/metrics/", "/explain/", "/v2/", "/v2/health/ready/", "/predict/", "//evil.example/"]
)
def test_no_route_redirects_to_the_host_that_was_named(service, path):
    for lines in (["host: localhost:{port}"], ["host: rebound.example"]):
        received = ask(service.port, request(service, "GET", path, lines))
        assert statuses(received)[0] in (403, 404)
        assert b"location:" not in received.lower()


# What the settings change


@pytest.fixture(scope="module")
def named(trained, tmp_path_factory):
    """A service that also answers as scorer.example, and pages of console.example."""
    home = tmp_path_factory.mktemp("named")
    settings = {
        "SCORER_ALLOWED_HOSTS": "scorer.example, [fd00::1]",
        "SCORER_ALLOWED_ORIGINS": "https://console.example",
    }
    server = Server(apart(trained, home) | settings, home / "serve.log")
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


def test_hosts_and_origins_that_are_named_are_answered_and_no_others(named, body):
    allowed = [
        ["host: scorer.example"],
        ["host: Scorer.Example:8080"],
        ["host: [fd00::1]:3000"],
        ["host: localhost"],
        ["host: localhost", "origin: https://console.example", "sec-fetch-site: cross-site"],
        ["host: scorer.example", "origin: https://scorer.example"],
    ]
    for lines in allowed:
        assert statuses(ask(named.port, request(named, "GET", "/model", lines))) == [200], lines
        assert statuses(ask(named.port, request(named, "POST", "/predict", lines, body))) == [200], lines
    for lines in FOREIGN.values():
        assert statuses(ask(named.port, request(named, "GET", "/model", lines))) == [403], lines


def test_a_page_that_is_named_gets_the_headers_of_cors_and_no_other_does(named, body):
    sent = ["host: localhost", "origin: https://console.example"]
    preflight = [*sent, "access-control-request-method: POST", "access-control-request-headers: content-type"]
    for method, lines in (("OPTIONS", preflight), ("POST", sent)):
        received = ask(named.port, request(named, method, "/predict", lines, body))
        assert statuses(received) == [200]
        assert b"\r\naccess-control-allow-origin: https://console.example\r\n" in received
    for method, lines in (("OPTIONS", preflight), ("POST", sent)):
        other = [line.replace("console", "bad") for line in lines]
        received = ask(named.port, request(named, method, "/predict", other, body))
        assert statuses(received)[0] in (400, 403)
        assert b"access-control-allow-origin" not in received.lower()


def test_where_the_network_may_call_any_host_is_answered_but_no_page_of_another_site(trained, tmp_path, body):
    settings = {"SCORER_OPEN_TO_NETWORK": "true", "SCORER_GRPC_HOST": "127.0.0.1"}
    server = Server(apart(trained, tmp_path) | settings, tmp_path / "serve.log")
    try:
        for name, lines in FOREIGN.items():
            page = any(line.startswith(("origin", "sec-fetch-site: cross")) for line in lines)
            received = ask(server.port, request(server, "POST", "/predict", lines, body))
            assert statuses(received) == [403 if page else 200], name
        rebound = ["host: scorer.bank:{port}", "origin: https://scorer.bank:{port}"]
        assert statuses(ask(server.port, request(server, "POST", "/predict", rebound, body))) == [200]
    finally:
        server.stop()
