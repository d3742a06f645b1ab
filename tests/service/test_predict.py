"""Good requests: the graph's own probabilities, in the order asked, whoever else is in the batch."""

import concurrent.futures
import json
import subprocess
import sys
import uuid

import httpx
import numpy as np
import onnxruntime
import pytest

from models.artifact import Artifact


@pytest.fixture(scope="module")
def expected(trained, german_applicants):
    """Probabilities by bare ONNX Runtime from raw texts and numbers."""
    session = onnxruntime.InferenceSession(str(trained.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    feed = {}
    for value in session.get_inputs():
        column = [applicant[value.name] for applicant in german_applicants]
        kind = object if value.type == "tensor(string)" else np.float32
        feed[value.name] = np.array(column, dtype=kind).reshape(-1, 1)
    return session.run(["probability"], feed)[0]


def test_all_rows_of_the_table_get_the_graphs_own_probabilities(client, german_applicants, expected, trained):
    answer = client.post("/predict", json={"applicants": german_applicants})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    threshold = client.get("/model").json()["threshold"]
    given = answer.json()
    assert np.array([row["probability"] for row in given], dtype=np.float32).tobytes() == expected.tobytes()
    assert [row["decision"] for row in given] == ["decline" if p >= threshold else "approve" for p in expected]
    assert {row["model"] for row in given} == {trained.tag}


def test_a_row_gets_the_same_bits_alone_and_among_others_and_neighbours_share_batches(
    service, german_applicants, expected, count
):
    rows = range(0, 1000, 4)
    batches, answered = count("scorer_batch_rows_count"), count("scorer_predictions_total")

    def ask(part):
        with httpx.Client(base_url=service.url, timeout=60) as caller:
            return {
                row: caller.post("/predict", json={"applicants": [german_applicants[row]]}).json()[0] for row in part
            }

    found = {}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for answers in pool.map(ask, [rows[first::16] for first in range(16)]):
            found |= answers
    assert {row: np.float32(answer["probability"]) for row, answer in found.items()} == {r: expected[r] for r in rows}
    assert count("scorer_predictions_total") - answered == len(rows)
    assert count("scorer_batch_rows_count") - batches < len(rows), "no two of 16 callers ever shared a batch"


def test_an_application_id_comes_back_and_is_made_up_where_none_is_given(client, example):
    given = client.post("/predict", json={"applicants": [example | {"application_id": "private-ž 1"}, example]}).json()
    assert given[0]["application_id"] == "private-ž 1"
    assert uuid.UUID(given[1]["application_id"]).version == 7


def test_protected_features_are_taken_and_change_nothing(client, german_applicants):
    features = client.get("/model").json()["features"]
    protected = [feature["name"] for feature in features if feature["protected"]]
    assert set(protected) == {"personal_status_sex", "foreign_worker", "age_years"}
    whole = german_applicants[0]
    without = {name: value for name, value in whole.items() if name not in protected}
    first, second = client.post("/predict", json={"applicants": [whole, without]}).json()
    assert first["probability"] == second["probability"]


def test_bentoml_clients_work(service, example):
    script = f"""
import asyncio, json, bentoml
with bentoml.SyncHTTPClient({service.url!r}) as client:
    print(json.dumps(client.predict(applicants=[{example!r}])))
async def main():
    async with bentoml.AsyncHTTPClient({service.url!r}) as client:
        print(json.dumps(await client.predict(applicants=[{example!r}])))
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first[0]["probability"] == second[0]["probability"]


def test_curl_as_anybody_types_it_works(service, example):
    """With curl's own content type, which is that of a form."""
    body = json.dumps({"applicants": [example]})
    done = subprocess.run(["curl", "-sS", f"{service.url}/predict", "-d", body], capture_output=True, check=True)
    assert json.loads(done.stdout)[0]["decision"] in ("approve", "decline")


def test_the_model_is_described(client, trained):
    described = client.get("/model").json()
    manifest = Artifact(trained.folder, retrain="").manifest
    assert f"{described['name']}:{described['version']}" == trained.tag
    assert described["threshold"] == pytest.approx(1 / 6)
    for key in ("trained_at", "data_sha256", "commit"):
        assert described[key] == getattr(manifest, key)
    by_name = {feature["name"]: feature for feature in described["features"]}
    assert by_name["duration_months"]["minimum"] == 1
    assert by_name["checking_account"]["categories"] == ["negative", "0_to_200", "200_or_more", "none"]


def test_metrics_tell_what_was_served(client, example, count, trained):
    names = ("scorer_predictions_total", "scorer_logged_rows_total", "scorer_batch_rows_sum")
    before = [count(name) for name in names]
    queued = count("scorer_queue_seconds_count")
    client.post("/predict", json={"applicants": [example] * 7})
    assert [count(name) for name in names] == [value + 7 for value in before]
    assert count("scorer_queue_seconds_count") == queued + 1
    text = client.get("/metrics").text
    assert 'scorer_predictions_total{decision="' in text
    assert f'model="{trained.tag}",protocol="http"' in text
    assert "scorer_profiled_rows_total" in text
    assert "bentoml_service_request_total" in text
