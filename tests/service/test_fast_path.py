"""The fast path and BentoML's own route: two ways through the same steps, which nobody can tell apart by the answer."""

import codecs
import json
import random

import httpx
import pytest


@pytest.fixture(scope="module")
def bodies(german_applicants):
    """A thousand bodies: two thirds good, the others broken in a way that the seed picks."""
    pick = random.Random(0)
    made = []
    for index in range(1000):
        applicants = [
            dict(german_applicants[pick.randrange(1000)], application_id=f"private-{index}-{row}")
            for row in range(pick.choice((1, 1, 1, 2, 7)))
        ]
        broken = pick.choice(applicants)
        name = pick.choice([key for key in broken if key not in {"application_id", "age_years", "personal_status_sex"}])
        fault = pick.randrange(24)
        if fault == 0:
            del broken[name]
        elif fault in (1, 2):
            broken[name] = pick.choice((None, "no such value", -1, 1e300, [], {}, True, "\N{GRINNING FACE}"))
        elif fault == 3:
            broken[f"{name}_x"] = 1
        body = json.dumps({"applicants": applicants}).encode()
        if fault == 4:
            body = body[: pick.randrange(len(body))]
        elif fault == 5:
            body = body.replace(b'{"applicants"', b'{"rows"')
        elif fault == 6:
            body = body.replace(b'"application_id"', b'"housing": "own", "application_id"', 1)
        elif fault == 7:
            at = pick.randrange(len(body))
            body = body[:at] + bytes([pick.randrange(256)]) + body[at + 1 :]
        elif fault == 8:
            body = codecs.BOM_UTF8 + body
        made.append(body)
    return made


def answers(url, bodies, chunked=False):
    """Status, headers and content of the answer to each body; a body in chunks takes the path through ASGI."""
    with httpx.Client(base_url=url, timeout=60) as client:
        found = []
        for body in bodies:
            content = iter([body[: len(body) // 2], body[len(body) // 2 :]]) if chunked else body
            answer = client.post("/predict", content=content, headers={"content-type": "application/json"})
            headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
            found.append((answer.status_code, headers, "x-request-id" in answer.headers, answer.content))
        return found


def test_three_paths_answer_a_thousand_requests_alike(service, serve, trained, bodies):
    route = serve(trained, SCORER_FAST_PATH="false")
    ways = answers(service.url, bodies), answers(service.url, bodies, chunked=True), answers(route.url, bodies)
    for body, in_the_connection, by_asgi, by_route in zip(bodies, *ways, strict=True):
        assert in_the_connection == by_asgi, body
        assert in_the_connection[0] == by_route[0], body
        assert json.loads(in_the_connection[3]) == json.loads(by_route[3]), body
    assert {status for status, *_ in ways[0]} == {200, 400, 422}


@pytest.mark.parametrize(
    "more", [{}, {"id": "r 1"}, {"outputs": [{"name": "probability"}]}, {"parameters": {"timeout": 1}}]
)
def test_v2_answers_alike_in_the_connection_and_by_asgi(client, german_applicants, more):
    for applicant in german_applicants[:20]:
        tensors = [
            {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
            for name, value in {**applicant, "application_id": "private-1"}.items()
        ]
        body = json.dumps({"inputs": tensors, **more}).encode()
        ways = [client.post("/v2/models/german_credit/infer", content=content) for content in (body, iter([body]))]
        assert ways[0].status_code == ways[1].status_code == (504 if "parameters" in more else 200)
        assert ways[0].content == ways[1].content
        assert ways[0].headers["content-type"] == ways[1].headers["content-type"]


def test_bentomls_own_metrics_can_be_had(serve, trained, example):
    server = serve(trained, SCORER_BENTOML_METRICS="true")
    with httpx.Client(base_url=server.url, timeout=60) as client:
        client.post("/predict", json={"applicants": [example]}).raise_for_status()
        text = client.get("/metrics").text
    for name in ("bentoml_service_request_duration_seconds_bucket", "scorer_logged_rows_total", "scorer_profiled_rows"):
        assert name in text
