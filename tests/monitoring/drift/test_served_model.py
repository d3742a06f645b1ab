"""A real model from its log to the verdict: its own applicants are no drift, other ones are."""

import csv
import json

import msgspec
import numpy as np
import pytest

from models.artifact import Artifact
from monitoring.__main__ import main
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def table():
    """The applicants of German Credit, as they are sent."""
    with (ROOT / "data/german_credit.csv").open(encoding="utf-8", newline="") as file:
        return [
            {name: int(text) if text.isdecimal() else text for name, text in row.items() if name != "credit_risk"}
            for row in csv.DictReader(file)
        ]


def test_applicants_like_those_of_the_training_are_no_drift_and_others_are(
    trained, table, tmp_path, monkeypatch, capsys
):
    model = Artifact(trained.folder, retrain="make train")
    scorer, drawn = model.encoded_scorer(), np.random.default_rng(0)
    for name, value in (trained.environment | {"SCORER_DIRECTORY": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    log = DecisionLog(tmp_path, segment_bytes=2**26)

    def serve(applicants):
        rows = [msgspec.convert(applicant, model.schema.row) for applicant in applicants]
        decided = scorer.score(rows)
        log.append(model.tag, [Row("http", *one, row) for one, row in zip(decided, rows, strict=True)])
        assert main(["catch-up"]) == 0
        capsys.readouterr()
        code = main(["drift", "--json"])
        return code, {one["column"]: one for one in json.loads(capsys.readouterr().out)}

    code, found = serve([table[place] for place in drawn.integers(len(table), size=800)])
    assert (code, len(found)) == (0, len(model.schema.dataset.features) + 2)
    assert {one["rows"] for one in found.values()} == {800}
    assert found["probability"]["higher"] == pytest.approx(0.5, abs=0.1)
    longer = [table[place] | {"duration_months": 60} for place in drawn.integers(len(table), size=800)]
    code, found = serve(longer)
    assert code == 3
    assert found["duration_months"]["breach"]
    assert not found["credit_amount"]["breach"]
    assert found["probability"]["higher"] > 0.5
    log.close()
