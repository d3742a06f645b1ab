"""Explanations over sockets: of applicants and of past decisions, no decisions themselves, refused in one shape."""

import asyncio
import concurrent.futures
import json
import math

import httpx
import jsonschema
import msgspec
import pytest
from msgspec import structs
from starlette.applications import Starlette

from configs.dataset import read_dataset
from configs.monitoring import read_monitoring
from configs.service import read_service
from models.artifact import Artifact
from models.request import RequestDecoder
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import LogKeys
from serving.access.authenticator import Authenticator
from serving.access.middleware import AccessMiddleware, AccessPolicy
from serving.http.explain import ExplainEndpoint
from serving.http.explanation_record import ExplanationRecord
from tests.conftest import GERMAN_CREDIT, struct_of
from tests.service.test_bad_input import ENVELOPES, error_of
from tests.service.test_pages import as_json_schema

DATASET = read_dataset(GERMAN_CREDIT)
PROTECTED = {feature.name for feature in DATASET.features if feature.protected}
TEXTS = {
    feature.name: {feature.reason_text(higher=high) for high in (True, False)}
    for feature in DATASET.features
    if not feature.protected
}


def explain(client, applicants):
    answer = client.post("/explain", json={"applicants": applicants})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def test_contributions_add_up_and_the_probability_is_that_of_predict(client, german_applicants, trained):
    asked = [applicant | {"application_id": f"private-{i}"} for i, applicant in enumerate(german_applicants[:50])]
    predicted = client.post("/predict", json={"applicants": asked}).json()
    explained = explain(client, asked)
    for answer, expected, applicant in zip(explained, predicted, asked, strict=True):
        assert {name: answer[name] for name in expected} == expected
        odds = math.log(answer["probability"] / (1 - answer["probability"]))
        assert answer["log_odds"] == pytest.approx(odds, abs=1e-9)
        total = sum(contribution["log_odds"] for contribution in answer["contributions"])
        assert total == pytest.approx(answer["log_odds"] - answer["base_log_odds"], abs=1e-9)
        assert answer["base_rate"] == pytest.approx(0.3)
        assert answer["base_log_odds"] == pytest.approx(math.log(0.3 / 0.7))
        assert {one["feature"]: one["value"] for one in answer["contributions"]} == {
            name: applicant[name] for name in TEXTS
        }


def test_a_decline_has_up_to_four_reasons_in_the_words_of_the_dataset_file_and_an_approval_none(
    client, german_applicants
):
    explained = explain(client, german_applicants[:60])
    assert {answer["decision"] for answer in explained} == {"approve", "decline"}
    for answer in explained:
        reasons = answer["reasons"]
        if answer["decision"] == "approve":
            assert reasons == []
            continue
        assert 1 <= len(reasons) <= 4
        strongest = sorted(answer["contributions"], key=lambda one: -one["log_odds"])[: len(reasons)]
        assert [{key: reason[key] for key in ("feature", "value", "log_odds")} for reason in reasons] == strongest
        assert all(reason["log_odds"] > 0 and reason["text"] in TEXTS[reason["feature"]] for reason in reasons)


def test_protected_features_change_nothing_and_are_never_shown(client, german_applicants):
    whole = german_applicants[0] | {"application_id": "private-protected"}
    bare = {name: value for name, value in whole.items() if name not in PROTECTED}
    others = [
        whole | {"age_years": 80, "foreign_worker": "no", "personal_status_sex": sex}
        for sex in ("female_not_single", "male_single")
    ]
    answers = [client.post("/explain", json={"applicants": [one]}).content for one in (whole, bare, *others)]
    assert len(set(answers)) == 1
    assert not [name for name in PROTECTED if name.encode() in answers[0]]


def test_an_applicant_gets_the_same_bits_alone_and_among_others(client, german_applicants):
    asked = [applicant | {"application_id": f"private-{i}"} for i, applicant in enumerate(german_applicants[:8])]
    together = explain(client, asked)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda one: explain(client, [one])[0], asked))
    assert together == alone


def test_a_past_decision_is_explained_by_its_id(client, german_applicants):
    applicant = german_applicants[3] | {"application_id": "private-past ž"}
    client.post("/predict", json={"applicants": [german_applicants[4] | {"application_id": "private-past ž"}]})
    client.post("/predict", json={"applicants": [*german_applicants[5:9], applicant]})
    answer = client.post("/explain", json={"application_id": "private-past ž"})
    assert answer.status_code == 200
    assert answer.json() == explain(client, [applicant])


def test_a_past_decision_is_explained_where_only_others_of_its_batch_brought_a_field(client, german_applicants):
    whole, other = german_applicants[10:12]
    bare = {name: value for name, value in whole.items() if name not in PROTECTED} | {"application_id": "private-bare"}
    client.post("/predict", json={"applicants": [bare, other]})
    answer = client.post("/explain", json={"application_id": "private-bare"})
    assert answer.status_code == 200
    assert answer.json() == explain(client, [bare])


def test_an_unknown_id_is_not_found(client, example):
    explain(client, [example | {"application_id": "private-explained only"}])
    for identifier in ("private-unknown", "private-explained only"):
        answer = client.post("/explain", json={"application_id": identifier})
        assert error_of(answer, 404)["code"] == "not_found"
        assert identifier not in answer.text


def test_what_another_model_decided_is_not_explained_by_this_one(trained, serve, example, tmp_path):
    service = serve(trained)
    log = DecisionLog(tmp_path / "var", 2**20)
    log.append("german_credit:of-old", [Row("http", 0.5, "decline", struct_of(example | {"application_id": "old"}))])
    log.close()
    answer = httpx.post(f"{service.url}/explain", json={"application_id": "old"}, timeout=60)
    error = error_of(answer, 409)
    assert error["code"] == "other_model"
    assert "german_credit:of-old" in error["message"]
    assert trained.tag in error["message"]


def test_an_explanation_is_no_decision(client, example, count):
    names = ("scorer_predictions_total", "scorer_logged_rows_total", "scorer_batch_rows_count")
    before = [count(name) for name in names]
    explain(client, [example] * 3)
    assert [count(name) for name in names] == before


SMALL = {name: body for name, body in ENVELOPES.items() if len(body) < 1000}  # others are refused as too many values


@pytest.mark.parametrize("body", SMALL.values(), ids=SMALL)
def test_what_is_not_the_envelope_is_refused(client, body):
    error = error_of(client.post("/explain", content=body), 400)
    assert error["code"] in ("invalid_json", "invalid_envelope")
    if error["code"] == "invalid_envelope":
        assert '{"application_id": "..."}' in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"application_id": "a", "application_id": "b"}',
        b'{"application_id": "a", "applicants": []}',
        b'{"application_id": "a", "more": 1}',
    ],
)
def test_more_than_an_id_is_refused(client, body):
    assert error_of(client.post("/explain", content=body), 400)["code"] == "invalid_envelope"


@pytest.mark.parametrize("value", ["", "x" * 65, 7, None, ["a"], {"a": 1}, True])
def test_what_is_no_id_is_refused(client, value):
    error = error_of(client.post("/explain", json={"application_id": value}), 422)
    (detail,) = error["details"]
    assert (detail["row"], detail["field"]) == (None, "application_id")
    assert detail["message"] == "must be text of 1 to 64 characters"


def test_a_bad_applicant_is_refused_as_predict_refuses_it(client, example):
    body = {"applicants": [example, example | {"duration_months": -3}]}
    refused = client.post("/explain", json=body)
    assert refused.status_code == 422
    assert refused.json() == client.post("/predict", json=body).json()


def test_limits_and_other_methods_are_refused(client, example):
    assert "at most 100" in error_of(client.post("/explain", json={"applicants": [example] * 101}), 413)["message"]
    assert error_of(client.post("/explain", content=b" " * 20_000_000), 413)["code"] == "too_large"
    error_of(client.post("/explain", content=b"\x1f\x8b", headers={"content-encoding": "gzip"}), 415)
    assert error_of(client.get("/explain"), 405)["code"] == "method_not_allowed"


def test_refusals_are_counted(client, count):
    before = count('scorer_rejected_total{reason="invalid_json"')
    client.post("/explain", content=b"{")
    assert count('scorer_rejected_total{reason="invalid_json"') == before + 1


def test_too_many_explanations_are_refused_while_scoring_goes_on(trained, serve, example):
    service = serve(trained, SCORER_MAX_EXPLAINED_ROWS="3")
    with httpx.Client(base_url=service.url, timeout=60) as client:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(client.post, "/explain", json={"applicants": [example] * 3}) for _ in range(48)]
            scored = [client.post("/predict", json={"applicants": [example]}).status_code for _ in range(20)]
            answers = [answer.result() for answer in asked]
        assert set(scored) == {200}
        assert {answer.status_code for answer in answers} == {200, 503}
        busy = next(answer for answer in answers if answer.status_code == 503)
        assert error_of(busy, 503)["code"] == "unavailable"
        assert int(busy.headers["retry-after"]) >= 1
        assert len(explain(client, [example] * 3)) == 3


def test_the_document_describes_the_answer(client, example, german_applicants):
    document = client.get("/docs.json").json()
    route = document["paths"]["/explain"]["post"]
    assert {"200", "404", "409", "413", "422", "503"} <= set(route["responses"])
    bodies = route["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert [list(body["properties"]) for body in bodies] == [["applicants"], ["application_id"]]
    answer = route["responses"]["200"]["content"]["application/json"]["schema"]
    shapes = as_json_schema(document["components"])
    given = explain(client, [example, *german_applicants[:5]])
    jsonschema.validate(given, as_json_schema(answer) | {"components": shapes})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([given[0] | {"reasons": [{}]}], as_json_schema(answer) | {"components": shapes})
    sent = route["requestBody"]["content"]["application/json"]["example"]
    assert explain(client, sent["applicants"])[0]["model"] == msgspec.json.decode(json.dumps(given))[0]["model"]


def test_a_model_that_is_too_wide_to_explain_is_refused_with_the_reason_and_starts(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("serving.http.explain.MAX_INPUTS", 5)
    artifact = Artifact(trained.folder, retrain="make train")
    endpoint = ExplainEndpoint(artifact, tmp_path, read_service(), LogKeys([]))
    record = ExplanationRecord(artifact.tag, structs.replace(read_monitoring(), directory=str(tmp_path)), LogKeys([]))
    endpoint.open(RequestDecoder(artifact.schema, 1).convert([artifact.manifest.example])[0], record)
    policy = AccessPolicy(Authenticator(None), open_to_network=True)
    app = AccessMiddleware(Starlette(routes=[endpoint.route()]), policy)

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.post("/explain", json={"applicants": [artifact.manifest.example]})

    answer = asyncio.run(ask())
    endpoint.close()
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "too_many_inputs"
    assert answer.json()["error"]["message"].startswith("a model of 17 inputs is not explained")
    assert answer.json()["error"]["message"].endswith("the limit is 5 inputs")
