"""Scoring by the trained model: bare ONNX Runtime, arrays and rows give the same numbers."""

import json

import numpy as np
import onnxruntime
import pytest

from models.artifact import Artifact
from models.deciding import decide
from models.request import RequestDecoder


@pytest.fixture(scope="module")
def scored(trained, german_applicants):
    """The artifact, and (probability, decision) of all 1,000 rows."""
    artifact = Artifact(trained.folder, retrain="make train")
    rows = RequestDecoder(artifact.schema, 1000).decode(json.dumps({"applicants": german_applicants}).encode())
    return artifact, artifact.scorer().score(rows)


def test_bare_onnx_runtime_gives_the_same_bits_from_raw_records(scored, trained, german_applicants):
    session = onnxruntime.InferenceSession(str(trained.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    for count in (1000, 1):
        feed = {}
        for value in session.get_inputs():
            column = [[applicant[value.name]] for applicant in german_applicants[:count]]
            feed[value.name] = np.array(column, dtype=object if value.type == "tensor(string)" else np.float32)
        (probabilities,) = session.run(["probability"], feed)
        assert probabilities.dtype == np.float32
        assert probabilities.tobytes() == np.array([p for p, _ in scored[1][:count]], dtype=np.float32).tobytes()


def test_decisions_follow_the_threshold_that_the_costs_imply(scored):
    artifact, results = scored
    assert {decision for _, decision in results} == {"approve", "decline"}
    assert all((decision == "decline") == (probability >= 1 / 6) for probability, decision in results)
    assert artifact.manifest.threshold == 1 / 6


def test_the_threshold_itself_declines():
    assert [decide(probability, 0.25) for probability in (0.2499999, 0.25, 0.2500001)] == [
        "approve",
        "decline",
        "decline",
    ]


def test_protected_features_change_no_score(scored, german_applicants):
    artifact, results = scored
    protected = {feature.name for feature in artifact.schema.dataset.features if feature.protected}
    bare = [{name: value for name, value in row.items() if name not in protected} for row in german_applicants]
    rows = RequestDecoder(artifact.schema, 1000).decode(json.dumps({"applicants": bare}).encode())
    assert artifact.scorer().score(rows) == results
