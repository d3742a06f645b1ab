"""`POST /feedback` without a service: what is kept, what is refused, and an unreachable database."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from configs.monitoring import read_monitoring
from configs.service import read_service
from monitoring.records.decision_log import DecisionLog
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.outcomes import OutcomeStore
from serving.access.authenticator import Authenticator
from serving.access.middleware import AccessMiddleware, AccessPolicy
from serving.http.feedback import FeedbackEndpoint
from serving.http.outcomes_body import MAX_OUTCOMES
from tests.monitoring.conftest import make_rows

SEEN = "2026-11-25T12:00:00Z"
LATER = "2026-11-26T12:00:00Z"


@pytest.fixture
def settings(tmp_path):
    """Of records in `tmp_path`, in which the decisions on `application 0` to `application 9` are."""
    log = DecisionLog(tmp_path, segment_bytes=2**26)
    log.append("m:1", make_rows(10))
    log.close()
    return msgspec.structs.replace(read_monitoring(), directory=str(tmp_path))


def outcome(number=0, event=True, observed_at=SEEN, **more):
    return {"application_id": f"application {number}", "event": event, "observed_at": observed_at} | more


def application(endpoint):
    """The route behind access without keys."""
    policy = AccessPolicy(Authenticator(None), open_to_network=True)
    return AccessMiddleware(Starlette(routes=[endpoint.route()]), policy)


def post(settings, *bodies, keys=NO_KEYS):
    """The answers to some bodies, one after the other."""
    app = application(FeedbackEndpoint(read_service(), settings, keys))

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [
                await client.post("/feedback", content=body if isinstance(body, bytes) else json.dumps(body).encode())
                for body in bodies
            ]

    return asyncio.run(ask())


def kept(settings, *outcomes):
    """The answer to outcomes that are right."""
    (answer,) = post(settings, {"outcomes": list(outcomes)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def known(settings):
    return {name: event for name, (event, _) in OutcomeStore(settings).all_events().items()}


def test_outcomes_are_accepted_repeated_and_corrected(settings, tmp_path):
    first = kept(settings, outcome(0), outcome(1, event=False))
    assert first == {"accepted": 2, "repeated": 0, "corrected": 0, "unknown": []}
    second = kept(settings, outcome(0), outcome(1, observed_at=LATER), outcome(2))
    assert second == {"accepted": 1, "repeated": 1, "corrected": 1, "unknown": []}
    assert known(settings) == {"id:application 0": True, "id:application 1": True, "id:application 2": True}
    with sqlite3.connect(tmp_path / "outcomes.db") as connection:
        kept_of_it = connection.execute("SELECT reported_by, corrections FROM outcomes ORDER BY application").fetchall()
    connection.close()
    assert kept_of_it == [("anyone", 0), ("anyone", 1), ("anyone", 0)]


def test_an_id_without_a_decision_is_kept_and_listed_once(settings):
    answer = kept(settings, outcome(77), outcome(3), outcome(77, observed_at=LATER))
    assert answer == {"accepted": 2, "repeated": 1, "corrected": 0, "unknown": ["application 77"]}
    assert set(known(settings)) == {"id:application 3", "id:application 77"}


def test_whatever_the_order_the_newest_observation_counts(settings):
    assert kept(settings, outcome(0, event=False, observed_at=LATER))["accepted"] == 1
    assert kept(settings, outcome(0, event=True, observed_at=SEEN))["repeated"] == 1
    assert known(settings) == {"id:application 0": False}


FAULTS = {
    "a time in the future": (outcome(observed_at="2999-01-01T00:00:00Z"), "observed_at", "is in the future"),
    "a time without a zone": (outcome(observed_at="2026-11-25T12:00:00"), "observed_at", "with a zone"),
    "a time that is a number": (outcome(observed_at=1_764_072_000), "observed_at", "with a zone"),
    "a time before the epoch": (outcome(observed_at="0001-01-01T00:00:00+23:59"), "observed_at", "before 1970"),
    "an event that is a text": (outcome(event="bad"), "event", "true or false"),
    "an event that is a number": (outcome(event=1), "event", "true or false"),
    "an id that is a number": (outcome() | {"application_id": 7}, "application_id", "text of 1 to 64"),
    "an empty id": (outcome() | {"application_id": ""}, "application_id", "text of 1 to 64"),
    "half a character": (outcome() | {"application_id": "\ud800"}, "application_id", "text of 1 to 64"),
    "an unknown field": (outcome(evnet=True), "evnet", "unknown field"),
    "no object": ([], None, "must be an object"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_refuses_the_request_and_nothing_of_it_is_kept(settings, name):
    wrong, field, message = FAULTS[name]
    (answer,) = post(settings, {"outcomes": [outcome(1), wrong]})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid_outcome"
    (detail,) = error["details"]
    assert (detail["row"], detail["field"]) == (1, field)
    assert message in detail["message"]
    assert known(settings) == {}


@pytest.mark.parametrize("missing", ["application_id", "event", "observed_at"])
def test_a_missing_key_is_named(settings, missing):
    sent = outcome()
    del sent[missing]
    (answer,) = post(settings, {"outcomes": [sent]})
    (detail,) = answer.json()["error"]["details"]
    assert (answer.status_code, detail["field"], detail["message"]) == (422, missing, "is missing")


def test_a_key_that_is_given_twice_is_refused(settings):
    body = b'{"outcomes": [{"application_id": "a", "event": true, "event": false, "observed_at": "%b"}]}'
    (answer,) = post(settings, body % SEEN.encode())
    (detail,) = answer.json()["error"]["details"]
    assert (answer.status_code, detail["field"], detail["message"]) == (422, "event", "is given twice")


def test_two_observations_of_one_moment_that_differ_are_refused_in_one_request_and_in_two(settings):
    (answer,) = post(settings, {"outcomes": [outcome(1), outcome(0), outcome(0, event=False)]})
    (detail,) = answer.json()["error"]["details"]
    assert (answer.status_code, detail["row"], detail["field"]) == (422, 2, "event")
    assert known(settings) == {}
    kept(settings, outcome(0))
    (answer,) = post(settings, {"outcomes": [outcome(1), outcome(0, event=False)]})
    (detail,) = answer.json()["error"]["details"]
    assert (answer.status_code, detail["row"], "contradicts" in detail["message"]) == (422, 1, True)
    assert known(settings) == {"id:application 0": True}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"outcomes": {}}', 400),
        (b'{"outcomes": [], "more": 1}', 400),
        (b'{"outcomes": [], "outcomes": []}', 400),
        (b'{"outcomes": []}', 422),
    ],
)
def test_what_is_no_list_of_outcomes_is_refused(settings, body, status):
    (answer,) = post(settings, body)
    assert answer.status_code == status, answer.text
    assert known(settings) == {}


def test_ten_thousand_outcomes_fit_into_a_request_and_one_more_does_not(settings):
    outcomes = [outcome(number) for number in range(MAX_OUTCOMES + 1)]
    refused, answer = post(settings, {"outcomes": outcomes}, {"outcomes": outcomes[1:]})
    assert refused.status_code == 413
    assert answer.json()["accepted"] == MAX_OUTCOMES
    assert answer.json()["unknown"] == [f"application {number}" for number in range(10, MAX_OUTCOMES + 1)]


def test_an_escaped_quote_in_an_id_is_no_fault(settings):
    answer = kept(settings, outcome() | {"application_id": 'a "b" \\ \0'})
    assert answer == {"accepted": 1, "repeated": 0, "corrected": 0, "unknown": ['a "b" \\ \0']}


def test_a_clock_that_is_a_little_ahead_is_no_fault(settings):
    soon = datetime.now(UTC) + timedelta(seconds=3)
    assert kept(settings, outcome(observed_at=soon.isoformat()))["accepted"] == 1


def test_an_unreachable_database_is_a_503_and_feedback_goes_on_when_it_is_back(settings, tmp_path, caplog):
    (tmp_path / "outcomes.db").mkdir()
    sent = {"outcomes": [outcome()]}
    endpoint = FeedbackEndpoint(read_service(), settings, NO_KEYS)

    async def ask(times):
        transport = httpx.ASGITransport(application(endpoint))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.post("/feedback", json=sent) for _ in range(times)]

    for answer in asyncio.run(ask(2)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
    assert [record.levelname for record in caplog.records] == ["ERROR"], "once per outage"
    (tmp_path / "outcomes.db").rmdir()
    (answer,) = asyncio.run(ask(1))
    assert answer.json()["accepted"] == 1


def test_with_a_key_of_the_log_the_database_holds_no_id(settings, tmp_path):
    keys = LogKeys([b"k" * 32])
    (answer,) = post(settings, {"outcomes": [outcome(5)]}, keys=keys)
    assert answer.json()["accepted"] == 1
    assert not [path for path in tmp_path.glob("outcomes*") if b"application 5" in path.read_bytes()]
    assert OutcomeStore(settings, keys).events(["application 5"]).keys() == {"application 5"}
