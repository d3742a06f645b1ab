"""The pure function gives the values, and the refusals, of the service's own code, whatever the types of a table."""

import json
import math
import random
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from batch.rows.applicants import Applicants
from batch.rows.scorer import DECISIONS, BatchScorer
from models.errors import Rejected
from models.points import Points
from models.request import RequestDecoder

ROWS, FIRST = 400, 1000
TEXTS = [pa.string(), pa.large_string(), pa.dictionary(pa.int16(), pa.string()), pa.string_view(), pa.binary()]


@pytest.fixture(scope="module")
def scorer(policy_model):
    """The function, by a small model."""
    from models.artifact import Artifact

    artifact = Artifact(policy_model.folder, retrain="make train")
    return artifact, BatchScorer(artifact, "ab" * 16, 1_700_000_000_000)


def drawn(features, rng):
    """Cells of which one in ten is missing, unknown, out of range, or no number."""
    columns = {}
    for feature in features:
        if feature.type == "categorical":
            odd = [None, "", "castle", feature.categories[0].upper() + " "]
            columns[feature.name] = [
                rng.choice(feature.categories if rng.random() < 0.95 else odd) for _ in range(ROWS)
            ]
            continue
        low, high = max(feature.lowest, -1000), min(feature.highest, 1000)
        usual = [rng.uniform(low, high) for _ in range(ROWS)]
        usual = [float(round(value)) for value in usual] if feature.type == "integer" else usual
        odd = [None, math.nan, math.inf, -1e9, 1.5, feature.lowest, feature.highest, 1e300]
        columns[feature.name] = [value if rng.random() < 0.95 else rng.choice(odd) for value in usual]
    return columns


def as_numbers(feature, values, kind):
    """A column of numbers as a table may have it."""
    finite = [value if value is not None and math.isfinite(value) else None for value in values]
    if kind == "texts":
        return pa.array([None if value is None else f" {value!r}"[value > 50 :] for value in values])
    if kind == "float32":
        return pa.array([value if value is None or abs(value) < 1e38 else None for value in finite], pa.float32())
    if kind == "decimal":
        small = [None if value is None or abs(value) > 1e20 else Decimal(repr(value)) for value in finite]
        return pa.array([value and value.quantize(Decimal("1e-7")) for value in small], pa.decimal128(38, 7))
    if kind == "integers" and feature.type == "integer":
        return pa.array([None if value is None or abs(value) > 2**62 else int(value) for value in finite], pa.int64())
    return pa.array(values, pa.float64())


def answer(decode, values):
    """What the service makes of a request: its rows, or why not."""
    try:
        return decode(json.dumps({"applicants": [values]}).encode())
    except Rejected as error:
        return error


@pytest.mark.parametrize(
    ("text", "number"),
    list(zip(TEXTS, ["doubles", "texts", "float32", "integers", "decimal"], strict=True)),
    ids=str,
)
def test_each_row_is_scored_or_refused_as_a_request_with_its_values(scorer, text, number):
    artifact, function = scorer
    schema, rng = artifact.schema, random.Random(7)
    cells = drawn(schema.dataset.features, rng)
    columns = {
        feature.name: pa.array(cells[feature.name], text)
        if feature.type == "categorical"
        else as_numbers(feature, cells[feature.name], number)
        for feature in schema.dataset.features
    }
    columns["application_id"] = pa.array([rng.choice([None, "", "a" * 64, "x" * 65, "A-1"]) for _ in range(ROWS)])
    columns["not asked for"] = pa.array([{"anything": [index]} for index in range(ROWS)])
    batch = pa.record_batch(columns)
    found = function.score(batch, np.arange(FIRST, FIRST + ROWS))
    by_row = {row["row"]: row for row in found.scores.to_pylist()}
    faults = {}
    for refusal in found.refusals:
        faults.setdefault(refusal.row, []).append((refusal.field, refusal.message))
    decode, applicants = RequestDecoder(schema, 1).decode, Applicants(schema)
    reference, points = artifact.scorer(), Points(schema.dataset.score)
    for row, cells in enumerate(batch.to_pylist(), start=FIRST):
        values = {name: value for name, value in applicants.values(cells).items() if value is not None or name in cells}
        if values["application_id"] is None:
            del values["application_id"]
        answered = answer(decode, values)
        if isinstance(answered, Rejected):
            assert faults.pop(row) == [(detail.field, detail.message) for detail in answered.details], values
            assert row not in by_row
            continue
        ((probability, decision),) = reference.score(answered)
        made = by_row.pop(row)
        assert (made["probability"], made["decision"], made["model"]) == (probability, decision, artifact.tag)
        assert made["score"] == points.scores([probability])[0]
        assert made["application_id"] == values.get("application_id", made["application_id"])
        assert len(made["application_id"]) == (36 if "application_id" not in values else len(values["application_id"]))
    assert by_row == faults == {}
    assert {row["decision"] for row in found.scores.to_pylist()} == set(DECISIONS)


def test_an_id_is_that_of_the_row_however_the_table_is_cut(scorer, policy_artifact):
    artifact, function = scorer
    example = {name: [value] * 6 for name, value in artifact.manifest.example.items()}
    example["alter"] = [30] * 6
    batch = pa.record_batch({name: pa.array(values) for name, values in example.items()})
    whole = function.score(batch, np.arange(6)).scores.column("application_id").to_pylist()
    halves = [function.score(batch.slice(0, 3), np.arange(start, start + 3)).scores for start in (0, 3)]
    assert [one for half in halves for one in half.column("application_id").to_pylist()] == whole
    assert len(set(whole)) == 6
    other = BatchScorer(policy_artifact, "cd" * 16, 1_700_000_000_000).score(batch, np.arange(6)).scores
    assert not set(other.column("application_id").to_pylist()) & set(whole)


def test_reasons_are_those_of_an_explanation(policy_artifact):
    from models.explanation import Explainer

    function = BatchScorer(policy_artifact, "ab" * 16, 0, explain=True)
    example = policy_artifact.manifest.example | {"alter": 60, "application_id": "A-1"}
    riskier = [example | {"Größe der Wohnung": size} for size in (20.5, 190.0)]
    batch = pa.RecordBatch.from_pylist(riskier)
    explainer = Explainer(
        policy_artifact.schema, policy_artifact.scorer().probabilities, policy_artifact.background, policy_artifact.tag
    )
    decode = RequestDecoder(policy_artifact.schema, 2).decode
    for row, made in zip(
        decode(json.dumps({"applicants": riskier}).encode()),
        function.score(batch, np.arange(2)).scores.to_pylist(),
        strict=True,
    ):
        told = explainer.explain(row).reasons
        assert [(one["feature"], one["text"], one["log_odds"]) for one in made["reasons"]] == [
            (reason.feature, reason.text, reason.log_odds) for reason in told
        ]
        assert bool(told) == (made["decision"] != "approve")
