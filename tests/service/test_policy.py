"""Score, referrals and costs of each applicant, from a dataset file to every answer and every record."""

import json
import math
import os
import re
import shutil
from collections import Counter

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
import yaml

from tests.conftest import ROOT, Server, Trained, apart, lenient_gates, run_training, workplace
from tests.forks import SERVICE
from tests.models.tables import write_hand_made
from tests.service.tensors import inputs
from tests.train.small import SMALL, UNDRAWN

POINTS, ODDS, DOUBLE = 600, 50, 20
FROM, TO = 0.25, 0.45
TIMES, FALSE_ALARM = 0.1, 2
COST = "alter"  # protected: no input of the model, and still what decides
ROWS = 120


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with one model of the table made by hand, whose dataset file has all three keys."""
    home = workplace(tmp_path_factory.mktemp("policy"))
    path = write_hand_made(home)
    dataset = yaml.safe_load(path.read_text())
    dataset["costs"] = {"missed_event": {"column": COST, "times": TIMES}, "false_alarm": FALSE_ALARM}
    dataset["score"] = {"points": POINTS, "odds": ODDS, "double": DOUBLE}
    dataset["refer"] = {"from": FROM, "to": TO}
    written = path.read_text()
    for key in ("costs", "score", "refer"):  # as text: a YAML library would write the odd names in other words
        written = re.sub(f"(?m)^{key}: .*\n", "", written) + f"{key}: {json.dumps(dataset[key])}\n"
    path.write_text(written)
    (home / "small.yaml").write_text(SMALL)
    lenient_gates(home)
    done = run_training(home, path.name, "small.yaml", "--gates", "gates.yaml", **UNDRAWN)
    assert done.returncode == 0, done.stdout + done.stderr
    (home / "tag").write_text(done.stdout.strip())
    return home


@pytest.fixture(scope="module")
def model(home):
    """The model."""
    return Trained.in_store((home / "tag").read_text(), home)


@pytest.fixture(scope="module")
def policy_service(model, tmp_path_factory):
    """A service of it."""
    place = tmp_path_factory.mktemp("service")
    server = Server(apart(model, place), place / "serve.log")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def asking(policy_service):
    """A client of it."""
    with httpx.Client(base_url=policy_service.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def applicants(asking):
    """Applicants of all risks and all ages."""
    example, rng = asking.get("/model").json()["example"], np.random.default_rng(0)
    return [
        example
        | {"Größe der Wohnung": round(float(rng.uniform(20, 200)), 1), "balance": float(rng.normal(0, 1e4))}
        | {"code": str(rng.choice(["1", "2", "01"])), COST: int(rng.integers(18, 90)), "application_id": f"A-{i}"}
        for i in range(ROWS)
    ]


@pytest.fixture(scope="module")
def answered(asking, applicants):
    """What `/predict` says of them."""
    return asking.post("/predict", json={"applicants": applicants}).raise_for_status().json()


def expected(probability, age):
    """Score and decision, worked out once more."""
    score = POINTS + DOUBLE / math.log(2) * (math.log((1 - probability) / probability) - math.log(ODDS))
    if FROM <= probability < TO:
        return round(score), "refer"
    threshold = FALSE_ALARM / (FALSE_ALARM + TIMES * age)
    return round(score), "decline" if probability >= threshold else "approve"


def test_every_answer_has_its_score_and_the_decision_of_its_own_costs(answered, applicants):
    assert [one["application_id"] for one in answered] == [one["application_id"] for one in applicants]
    for one, applicant in zip(answered, applicants, strict=True):
        assert (one["score"], one["decision"]) == expected(one["probability"], applicant[COST])
        assert type(one["score"]) is int
    assert set(Counter(one["decision"] for one in answered)) == {"approve", "refer", "decline"}


def test_the_same_probability_is_decided_by_what_is_at_stake(asking, applicants, answered):
    risky = next(i for i, one in enumerate(answered) if TO <= one["probability"] < 0.5)
    asked = [applicants[risky] | {COST: age} for age in (18, 90)]
    young, old = asking.post("/predict", json={"applicants": asked}).json()
    assert young["probability"] == old["probability"], "a protected column is no input"
    assert (young["decision"], old["decision"]) == ("approve", "decline")


def test_an_applicant_without_what_decides_is_refused(asking, applicants):
    without = {name: value for name, value in applicants[0].items() if name != COST}
    found = asking.post("/predict", json={"applicants": [without]})
    assert found.status_code == 422
    (detail,) = found.json()["error"]["details"]
    assert (detail["field"], detail["message"]) == (COST, "is missing")


@pytest.mark.parametrize("binary", [True, False])
def test_v2_over_rest_says_the_same(policy_service, applicants, answered, binary):
    with triton_http.InferenceServerClient(f"127.0.0.1:{policy_service.port}", network_timeout=60) as client:
        names = ("score", "probability", "decision")
        outputs = [triton_http.InferRequestedOutput(name, binary_data=binary) for name in names]
        found = client.infer("hand_made", inputs(triton_http, applicants), outputs=outputs)
        described = {one["name"]: one["datatype"] for one in client.get_model_metadata("hand_made")["outputs"]}
        config = {one["name"]: one["data_type"] for one in client.get_model_config("hand_made")["output"]}
    agrees(found, answered)
    assert described == {"probability": "FP64", "decision": "BYTES", "application_id": "BYTES", "score": "INT64"}
    assert config["score"] == "TYPE_INT64"


def test_v2_over_grpc_says_the_same_in_one_call_and_in_many(policy_service, applicants, answered):
    with triton_grpc.InferenceServerClient(policy_service.grpc) as client:
        agrees(client.infer("hand_made", inputs(triton_grpc, applicants)), answered)
        for index in (0, 1, 2):
            agrees(client.infer("hand_made", inputs(triton_grpc, applicants[index : index + 1])), [answered[index]])
        described = {one.name: one.datatype for one in client.get_model_metadata("hand_made").outputs}
    assert described["score"] == "INT64"


def agrees(found, answered):
    """An answer of V2 with one of `/predict`, bit for bit."""
    score = found.as_numpy("score")
    assert (score.dtype, score.shape) == (np.int64, (len(answered),))
    assert score.tolist() == [one["score"] for one in answered]
    assert found.as_numpy("probability").tolist() == [one["probability"] for one in answered]
    texts = [text if isinstance(text, str) else text.decode() for text in found.as_numpy("decision")]
    assert texts == [one["decision"] for one in answered]


def test_what_is_served_says_how_it_decides(asking):
    model = asking.get("/model").json()
    assert model["threshold"] is None
    assert model["costs"] == {"missed_event": {"column": COST, "times": TIMES}, "false_alarm": FALSE_ALARM}
    assert model["score"] == {"points": POINTS, "odds": ODDS, "double": DOUBLE}
    assert model["refer"] == {"from": FROM, "to": TO}
    assert [feature["name"] for feature in model["features"] if feature.get("required")] == [COST]
    card = asking.get("/model/card", headers={"accept": "text/markdown"}).text
    assert f"refer from {FROM} to below {TO}, where a person decides; decline where approving costs more" in card
    assert f"a missed event costs {TIMES} times its `{COST}`, a false alarm {FALSE_ALARM}" in card
    for said in (
        "600 points stand for odds of 50 to 1",
        "of the test rows (",
        "the decisions earn",
        "Referred: `alter`",
    ):
        assert said in card
    document = asking.get("/docs.json").json()
    assert "refers from 0.2500 to below 0.4500" in document["info"]["description"]
    answer = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    properties = answer["items"]["properties"]
    assert properties["score"]["type"] == "integer"
    assert properties["decision"]["enum"] == ["approve", "decline", "refer"]


def test_the_points_of_an_explanation_add_up_to_the_score_of_the_answer(asking, applicants, answered):
    referred = next(i for i, one in enumerate(answered) if one["decision"] == "refer")
    asked = {"applicants": [applicants[0], applicants[referred]]}
    for index, one in zip((0, referred), asking.post("/explain", json=asked).json(), strict=True):
        assert one["score"] == answered[index]["score"]
        assert one["base_points"] + sum(part["points"] for part in one["contributions"]) == one["score"]
        assert one["decision"] == answered[index]["decision"]
    assert one["reasons"], "a person may decline whoever is referred"
    (past,) = asking.post("/explain", json={"application_id": answered[referred]["application_id"]}).json()
    assert (past["score"], past["decision"]) == (answered[referred]["score"], "refer")


def test_decisions_are_counted_logged_profiled_and_replayed(model, applicants, tmp_path):
    environment = apart(model, tmp_path)
    server = Server(environment, tmp_path / "serve.log")
    with httpx.Client(base_url=server.url, timeout=60) as client:
        found = client.post("/predict", json={"applicants": applicants}).json()
        metrics = client.get("/metrics").text
    server.stop()
    counts = Counter(one["decision"] for one in found)
    counted = dict(re.findall(r'^scorer_predictions_total{decision="(\w+)".*} (\S+)$', metrics, re.MULTILINE))
    assert {name: int(float(number)) for name, number in counted.items()} == counts
    run = lambda *arguments: SERVICE.run("monitoring", arguments, ROOT, os.environ | environment)  # noqa: E731
    assert json.loads(run("status", "--json").stdout)["profiled"] == ROWS
    replayed = run("replay", "--json")
    assert (replayed.returncode, json.loads(replayed.stdout)["equal"]) == (0, ROWS), replayed.stdout + replayed.stderr
    groups = json.loads(next((tmp_path / "var").rglob("checkpoint*.json")).read_text())["group_decisions"]
    assert sum(number for key, number in groups.items() if "refer" in key) == counts["refer"]
    assert b'"score"' not in b"".join(path.read_bytes() for path in (tmp_path / "var/decisions").iterdir())
    assert run("compact").returncode == 0
    archived = run("replay", "--json")
    assert (archived.returncode, json.loads(archived.stdout)["equal"]) == (0, ROWS), archived.stdout + archived.stderr
    shutil.rmtree(tmp_path / "bentoml")
    assert run("replay").returncode == 0, "the kept copy of the model has the rule too"


def test_loads_of_the_test_bring_what_decides(asking):
    import random

    import msgspec

    from loadtests.payloads.applicants import draw
    from loadtests.target import Model as Served

    served = msgspec.json.decode(asking.get("/model").content, type=Served)
    drawn = [draw(served.features, random.Random(seed)) for seed in range(50)]
    assert asking.post("/predict", json={"applicants": drawn}).status_code == 200
