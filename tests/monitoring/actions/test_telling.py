"""Findings on their way to a real HTTP server: what it gets, what happens when it does not take it, and secrets."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from configs.monitoring import read_monitoring
from configs.source import ConfigError
from monitoring.actions.delivery import REFUSED_S
from monitoring.actions.destinations import GitHub, Slack, Webhook, destinations, secret_bytes
from monitoring.actions.messages import signature
from monitoring.actions.telling import LEDGER, tell
from monitoring.findings.finding import Finding

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DRIFT = Finding(code="drift", subject="a<b", value=0.3, bound=0.2, since=NOW, message="moved & <!here>", remedy="look")
MANY = [msgspec.structs.replace(DRIFT, subject=f"column {number}") for number in range(50)]


def after(**span):
    return NOW + timedelta(**span)


@pytest.fixture
def send(tmp_path):
    """`send(to, findings, now)` is one look; gives the account of that destination."""
    return lambda to, findings, now=NOW: tell(tmp_path, read_monitoring(), [to], findings, now)[to.name]


def test_a_signature_is_that_of_the_published_example():
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret_bytes(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_a_webhook_gets_each_finding_once_signed_and_its_end(receiver, send):
    to = Webhook(f"{receiver.url}/hook?token=1", secret_bytes(SECRET))
    for minute in range(3):
        send(to, [DRIFT], after(minutes=minute))
    (got,) = receiver.received
    assert got.path == "/hook?token=1"
    assert got.headers["content-type"] == "application/json"
    sent = json.loads(got.body)
    assert sent["type"] == "scorer_findings"
    assert sent["data"]["firing"] == [json.loads(msgspec.json.encode(DRIFT))]
    assert sent["data"]["resolved"] == []
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    for minute in (10, 16, 17):
        send(to, [], after(minutes=minute))
    _, end = receiver.received
    assert json.loads(end.body)["type"] == "scorer_findings_resolved"
    assert [one["subject"] for one in json.loads(end.body)["data"]["resolved"]] == ["a<b"]
    assert end.headers["webhook-id"] != got.headers["webhook-id"]


def test_without_a_secret_nothing_is_signed(receiver, send):
    send(Webhook(receiver.url), [DRIFT])
    assert "webhook-signature" not in receiver.received[0].headers


def test_slack_gets_a_text_in_which_nothing_of_a_finding_is_markup(receiver, send):
    send(Slack(receiver.url), [DRIFT])
    (got,) = receiver.received
    (name,) = json.loads(got.body)
    text = json.loads(got.body)[name]
    assert name == "text"
    assert "*drift* a&lt;b: moved &amp; &lt;!here&gt;. _look_" in text
    send(Slack(receiver.url), MANY, after(minutes=1))
    assert json.loads(receiver.received[1].body)["text"].count("*drift*") == 20
    assert json.loads(receiver.received[1].body)["text"].endswith("and 30 more")


def test_github_gets_a_repository_dispatch_within_its_limits(receiver, send, monkeypatch):
    settings = msgspec.structs.replace(
        read_monitoring(), action_github_repository="bank/credit", action_github_endpoint=receiver.url
    )
    (to,) = destinations(settings, {"SCORER_ACTION_GITHUB_TOKEN": "ghp_x"})
    send(to, MANY)
    (got,) = receiver.received
    sent = json.loads(got.body)
    assert (got.path, got.headers["authorization"]) == ("/repos/bank/credit/dispatches", "Bearer ghp_x")
    assert got.headers["accept"] == "application/vnd.github+json"
    assert sent["event_type"] == "scorer_findings"
    assert len(sent["client_payload"]) <= 10
    assert len(sent["client_payload"]["firing"]) == 20


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_may_be_taken_later_is_sent_again_until_it_is_and_counted(receiver, send, status, caplog):
    receiver.answers = [(status, {}), (status, {})]
    to = Webhook(f"{receiver.url}/secret-path")
    accounts = [send(to, [DRIFT], after(seconds=second)) for second in (0, 10, 30, 60, 90, 120)]
    assert [one.failed for one in accounts] == [1, 1, 2, 2, 2, 2]
    assert [one.delivered for one in accounts] == [0, 0, 0, 0, 1, 1]
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    assert f"127.0.0.1 answered {status} because" in caplog.text
    assert "secret-path" not in caplog.text
    assert "\x1b" not in caplog.text


def test_the_time_that_a_destination_asks_for_is_waited(receiver, send):
    receiver.answers = [(429, {"Retry-After": "120"})]
    assert send(Webhook(receiver.url), [DRIFT]).next_attempt == after(seconds=120)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_is_refused_is_tried_again_in_an_hour(receiver, send, status, caplog):
    receiver.answers = [(status, {})]
    assert send(Webhook(receiver.url), [DRIFT]).next_attempt == after(seconds=REFUSED_S)
    assert "does not take such a message" in caplog.text


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_as_it_would_take_token_and_message_elsewhere(receiver, send, status):
    receiver.answers = [(status, {"Location": f"{receiver.url}/elsewhere"})]
    account = send(GitHub(receiver.url, "token"), [DRIFT])
    assert (len(receiver.received), account.delivered, account.failed) == (1, 0, 1)


def test_a_server_that_is_not_there_is_told_apart_and_costs_no_other_destination(receiver, tmp_path, caplog):
    gone = Slack("http://127.0.0.1:9/services/T000/secret")
    accounts = tell(tmp_path, read_monitoring(), [gone, Webhook(receiver.url)], [DRIFT], NOW)
    assert (accounts["slack"].failed, accounts["webhook"].delivered) == (1, 1)
    assert "findings not sent to slack: 127.0.0.1 cannot be reached" in caplog.text
    assert "secret" not in caplog.text
    assert "secret" not in (tmp_path / LEDGER).read_text()


def test_without_destinations_nothing_is_written(tmp_path):
    assert tell(tmp_path, read_monitoring(), [], [DRIFT], NOW) == {}
    assert list(tmp_path.iterdir()) == []


def test_secrets_come_from_the_environment_alone():
    settings = msgspec.structs.replace(read_monitoring(), action_webhook_endpoint="https://hook.example.com")
    assert destinations(settings, {}) == [Webhook("https://hook.example.com")]
    environment = {"SCORER_ACTION_WEBHOOK_SECRET": SECRET, "SCORER_ACTION_SLACK_URL": "https://hooks.example.com/x"}
    webhook, slack = destinations(settings, environment)
    assert (webhook.secret, slack.url) == (secret_bytes(SECRET), "https://hooks.example.com/x")


@pytest.mark.parametrize(
    ("changes", "environment", "said"),
    [
        ({"action_github_repository": "bank/credit"}, {}, "SCORER_ACTION_GITHUB_TOKEN: is missing"),
        ({"action_github_repository": "bank"}, {}, "name it as owner/name"),
        ({"action_webhook_endpoint": "http://a"}, {"SCORER_ACTION_WEBHOOK_SECRET": "short"}, "head -c 24 /dev/urandom"),
        ({}, {"SCORER_ACTION_SLACK_URL": "file:///etc/passwd"}, "SCORER_ACTION_SLACK_URL: is no URL"),
    ],
)
def test_a_secret_that_is_missing_or_none_is_an_error_with_its_remedy(changes, environment, said):
    with pytest.raises(ConfigError, match=said):
        destinations(msgspec.structs.replace(read_monitoring(), **changes), environment)
