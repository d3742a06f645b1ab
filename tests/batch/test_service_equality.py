"""The same values as `POST /predict` of the real service, bit for bit, and the same refusals: all of German Credit."""

import csv
import json

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.conftest import Batch, refused, scores
from tests.conftest import ROOT, Server, apart

ODD = {
    "categorical": ["castle", "", "NONE ", None],
    "integer": [-1, 10**9, 2.5, "many", None, "1e400"],
}
CHUNK = 100


@pytest.fixture(scope="module")
def client(trained, tmp_path_factory):
    """A client of a service of the German Credit model."""
    home = tmp_path_factory.mktemp("service")
    server = Server(apart(trained, home), home / "serve.log")
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client
    server.stop()


def answers(client, applicants):
    """What the service answers: predictions in order."""
    made = []
    for start in range(0, len(applicants), CHUNK):
        reply = client.post("/predict", json={"applicants": applicants[start : start + CHUNK]})
        assert reply.status_code == 200, reply.text
        made += reply.json()
    return made


def test_every_row_of_the_table_has_the_answer_of_the_service(client, trained, german_applicants, tmp_path):
    expected = answers(client, german_applicants)
    batch = Batch(trained, tmp_path)
    for name, table in (("csv", ROOT / "data/german_credit.csv"), ("parquet", tmp_path / "t.parquet")):
        if name == "parquet":
            pq.write_table(pa.Table.from_pylist(german_applicants), table, row_group_size=333)
        out = tmp_path / name
        done = batch.run(table, out, "--part-rows", "300", "--json")
        assert done.returncode == 0, done.stderr
        made = scores(out).drop_columns("application_id").to_pylist()
        assert made == [
            {"row": row} | {key: value for key, value in answer.items() if key != "application_id"}
            for row, answer in enumerate(expected)
        ]
        assert not (out / "refused").exists()


def test_rows_with_faults_are_refused_in_the_words_of_the_service(client, trained, german_applicants, tmp_path):
    """Every odd value in every column, as JSON to the service and as a cell of a CSV here."""
    features = client.get("/model").json()["features"]
    applicants, asked = [], []
    for feature in features:
        for value in ODD["categorical" if feature["type"] == "categorical" else "integer"]:
            row = german_applicants[len(applicants)]
            applicants.append(row | {feature["name"]: "" if value is None else value})
            # An empty cell is a missing value, which is null in JSON; and a number out of all range is infinite.
            as_json = None if value in ("", None) else 1e308 * 10 if value == "1e400" else value
            asked.append(row | {feature["name"]: as_json, "application_id": f"A-{len(asked)}"})
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(applicants[0]))
        writer.writeheader()
        writer.writerows(applicants)
    expected, faults = {}, []
    for row, applicant in enumerate(asked):
        reply = client.post("/predict", content=json.dumps({"applicants": [applicant]}).replace("Infinity", "1e400"))
        if reply.status_code == 200:
            expected[row] = reply.json()[0]
        else:
            details = reply.json()["error"]["details"]
            faults += [(row, detail["field"], detail["message"]) for detail in details]
    done = Batch(trained, tmp_path).run(tmp_path / "t.csv", tmp_path / "out", "--json")
    assert done.returncode == 3, done.stderr
    assert [(line["row"], line["field"], line["message"]) for line in refused(tmp_path / "out")] == faults
    assert len(faults) > 80
    made = {line["row"]: (line["probability"], line["decision"]) for line in scores(tmp_path / "out").to_pylist()}
    assert made == {row: (answer["probability"], answer["decision"]) for row, answer in expected.items()}


def test_a_missing_column_is_told_before_anything_is_scored(trained, german_applicants, tmp_path):
    rows = [{name: value for name, value in row.items() if name != "purpose"} for row in german_applicants[:3]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    done = Batch(trained, tmp_path).run(tmp_path / "t.parquet", tmp_path / "out")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: t.parquet: column 'purpose' missing; the table has checking_account, " in done.stderr
    assert not [*tmp_path.glob("out/part-*")]
