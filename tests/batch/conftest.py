"""What the tests of batch scoring share: a small model with all kinds of columns and policy, and the command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.artifact import Artifact
from tests.conftest import ROOT, Trained, apart, lenient_gates, run_training, workplace
from tests.models.tables import write_hand_made
from tests.train.small import SMALL

POLICY = {
    "costs": {"missed_event": {"column": "alter", "times": 0.1}, "false_alarm": 2},
    "score": {"points": 600, "odds": 50, "double": 20},
    "refer": {"from": 0.25, "to": 0.45},
}


@pytest.fixture(scope="session")
def policy_model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of the table made by hand: nullable columns, odd names, costs of each applicant, a scale, a band."""
    home = workplace(tmp_path_factory.mktemp("policy"))
    path = write_hand_made(home)
    text = path.read_text()
    for key, value in POLICY.items():
        text = re.sub(f"(?m)^{key}: .*\n", "", text) + f"{key}: {json.dumps(value)}\n"
    path.write_text(text)
    (home / "small.yaml").write_text(SMALL)
    lenient_gates(home)
    done = run_training(home, path.name, "small.yaml", "--gates", "gates.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return Trained.in_store(done.stdout.strip(), home)


@pytest.fixture
def policy_artifact(policy_model: Trained) -> Artifact:
    """Its artifact."""
    return Artifact(policy_model.folder, retrain="make train")


class Batch:
    """`python -m batch score` with one model, its records under `home`."""

    def __init__(self, model: Trained, home: Path) -> None:
        self.home, self.tag = home, model.tag
        self.environment = apart(model, home) | {"SCORER_LEAST_WINDOW_ROWS": "1"}

    def command(self, table: Any, out: Any, *more: str) -> list[str]:
        """The command, whatever it ends in."""
        asked = ["score", str(table), "--out", str(out), "--model", self.tag, *more]
        return [sys.executable, "-m", "batch", *asked]

    def start(self, table: Any, out: Any, *more: str, **variables: str) -> subprocess.Popen[str]:
        """Start it, in a group of its own."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = self.environment | variables
        return subprocess.Popen(self.command(table, out, *more), cwd=ROOT, env=environment, **pipes)  # type: ignore[call-overload,no-any-return]

    def run(self, table: Any, out: Any, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.start(table, out, *more, **variables)
        said, told = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, said, told)


def scores(out: Path) -> pa.Table:
    """All scores of a run, by row."""
    parts = sorted(out.glob("part-*.parquet"))
    return pa.concat_tables([pq.read_table(part) for part in parts]).sort_by("row")


def refused(out: Path) -> list[dict[str, Any]]:
    """All refusals of a run, by row."""
    parts = sorted((out / "refused").glob("part-*.parquet"))
    return [line for part in parts for line in pq.read_table(part).to_pylist()]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, policy_model: Trained, tmp_path: Path) -> None:
    """The environment of the model and of records in a folder of the test, for what runs in this process."""
    for name, value in apart(policy_model, tmp_path).items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("SCORER_LEAST_WINDOW_ROWS", "1")
