"""The fast path and BentoML's own route: two ways through the same steps, which nobody can tell apart by the answer."""

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
        made.append(body)
    return made


def answers(url, bodies):
    """Status, kind and content of the answer to each body."""
    with httpx.Client(base_url=url, timeout=60) as client:
        found = []
        for body in bodies:
            answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
            found.append((answer.status_code, answer.headers["content-type"], answer.json()))
        return found


def test_the_fast_path_and_the_route_answer_a_thousand_requests_alike(service, serve, trained, bodies):
    route = serve(trained, SCORER_FAST_PATH="false")
    by_fast_path, by_route = answers(service.url, bodies), answers(route.url, bodies)
    for body, fast, other in zip(bodies, by_fast_path, by_route, strict=True):
        assert fast == other, body
    statuses = {status for status, _, _ in by_fast_path}
    assert statuses == {200, 400, 422}


def test_bentomls_own_metrics_can_be_had(serve, trained, example):
    server = serve(trained, SCORER_BENTOML_METRICS="true")
    with httpx.Client(base_url=server.url, timeout=60) as client:
        client.post("/predict", json={"applicants": [example]}).raise_for_status()
        text = client.get("/metrics").text
    for name in ("bentoml_service_request_duration_seconds_bucket", "scorer_logged_rows_total", "scorer_profiled_rows"):
        assert name in text
