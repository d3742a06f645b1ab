"""What is sent is what the service takes, for any dataset; answers about somebody else are noticed."""

import random
from pathlib import Path

import msgspec
import pytest
import yaml

from loadtests.payloads.applicants import Applicants, draw, table_rows
from loadtests.payloads.bodies import envelope, is_about, is_inference_about, tensors
from loadtests.payloads.messages import COMPILED, Messages
from loadtests.problems import LoadTestError
from loadtests.target import Model
from models.artifact import describe_feature
from models.request import RequestDecoder
from serving.v2.grpc_codec import GrpcCodec
from serving.v2.messages import Messages as ServiceMessages
from serving.v2.rest_codec import RestCodec
from serving.v2.tensors import TensorDecoder
from tests.conftest import GERMAN_CREDIT, ROOT


def model_of(schema) -> Model:
    """What `GET /model` shows of a schema, read as the load test reads it."""
    properties = schema.json_schema["properties"]
    features = [describe_feature(feature, properties[feature.name]) for feature in schema.dataset.features]
    shown = {"name": "m", "version": "1", "dataset": {"name": schema.dataset.name}, "features": features}
    return msgspec.json.decode(msgspec.json.encode(shown), type=Model)


@pytest.fixture(scope="module")
def applicants(schema):
    """Two hundred of each dataset."""
    return Applicants(model_of(schema).features, [], 1, "run-1").take(200)


def test_drawn_applicants_are_valid_over_every_protocol(schema, applicants):
    assert len(RequestDecoder(schema, 1000).decode(envelope(applicants))) == len(applicants)
    decoder = TensorDecoder(schema, 10)
    rest, messages = RestCodec(decoder, "m", "1"), Messages()
    for applicant in applicants:
        request, tail = rest.parse(tensors(applicant), None)
        assert len(rest.rows(request, tail)) == 1
    codec = GrpcCodec(ServiceMessages(), decoder, "m", "1")
    for applicant in applicants:
        assert len(codec.rows(codec.parse(messages.request("m", applicant)))) == 1


def test_each_applicant_has_an_id_of_its_own_that_begins_with_load(applicants):
    ids = [applicant["application_id"] for applicant in applicants]
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("load-run-1-") for one in ids)


def test_every_category_and_both_ends_of_a_range_are_drawn(schema):
    features, chance = model_of(schema).features, random.Random(0)
    drawn = [draw(features, chance) for _ in range(2000)]
    for feature in features:
        values = {applicant[feature.name] for applicant in drawn if applicant.get(feature.name) is not None}
        if feature.type == "categorical":
            assert values == set(feature.categories)
        else:
            assert feature.minimum <= min(values) < max(values) <= feature.maximum
        if feature.protected or feature.nullable:
            assert any(feature.name not in applicant for applicant in drawn)


def test_half_of_the_applicants_are_real_where_the_table_is_there(monkeypatch, german_applicants):
    from models.schema import Schema
    from tests.models.tables import german_credit

    monkeypatch.chdir(ROOT)
    model = model_of(Schema(german_credit()))
    rows, note = table_rows(GERMAN_CREDIT, model)
    assert len(rows) == 1000
    assert "half from 1,000 rows of data/german_credit.csv" in note
    taken = [
        {name: value for name, value in one.items() if name != "application_id"}
        for one in Applicants(model.features, rows, 1, "x").take(1000)
    ]
    assert 400 < sum(one in german_applicants for one in taken) < 600


def dataset_file(folder: Path, table: str, name: str = "hand_made") -> Path:
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump({"name": name, "source": {"path": str(folder / table)}}))
    return path


def test_a_table_that_is_of_no_use_is_named_and_everything_drawn(tmp_path, schema):
    model = model_of(schema)
    rows, note = table_rows(tmp_path / "none.yaml", model)
    assert (rows, note) == ([], f"drawn from the schema: {tmp_path}/none.yaml cannot be read")
    assert "is of another, and the service has" in table_rows(dataset_file(tmp_path, "t.csv", "another"), model)[1]
    name = model.dataset.name
    assert "there is no CSV table" in table_rows(dataset_file(tmp_path, "t.csv", name), model)[1]
    assert "there is no CSV table" in table_rows(dataset_file(tmp_path, "t.parquet", name), model)[1]
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    rows, note = table_rows(dataset_file(tmp_path, "t.csv", name), model)
    assert rows == []
    assert "1 rows outside the schema left out" in note


def test_an_answer_about_somebody_else_is_noticed(applicants):
    one, two = applicants[:2]
    answer = msgspec.json.encode([{"application_id": one["application_id"], "probability": 0.5}])
    assert is_about(answer, [one])
    assert not is_about(answer, [two])
    assert not is_about(answer, [one, two])
    assert not is_about(b"<html>", [one])
    output = {"outputs": [{"name": "application_id", "data": [one["application_id"]]}]}
    assert is_inference_about(msgspec.json.encode(output), one)
    assert not is_inference_about(msgspec.json.encode(output), two)
    assert not is_inference_about(b"{}", one)


def test_messages_that_are_not_compiled_name_the_command(tmp_path):
    assert COMPILED.exists()
    with pytest.raises(LoadTestError, match="run: make environment"):
        Messages(tmp_path / "none.binpb")
