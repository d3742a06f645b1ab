"""One version is one model: a second graph under the same version is refused by the store and by the registry."""

import json
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from models.artifact import sha256
from tests.conftest import environment, lenient_gates, with_mlflow
from tests.forks import TRAIN
from tests.models.tables import write_hand_made
from tests.train.small import SMALL
from train.rounding import STEP


@pytest.mark.timeout(600)
@pytest.mark.pipeline
def test_one_version_is_never_two_graphs(tmp_path):
    dataset, gates = write_hand_made(with_mlflow(tmp_path)), lenient_gates(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    inputs = ["--dataset", dataset.name, "--model", "small.yaml", "--gates", gates.name]
    weights, said = tmp_path / "var/train/hand_made/small/network.npz", []

    def step(*command, code=0):
        done = TRAIN.run("train", [*command, *inputs], tmp_path, environment(tmp_path))
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stderr
        said.append(" ".join(done.stderr.split()))
        return done.stdout.strip()

    tag = step()
    assert step("publish") == tag  # the same graph is welcome twice
    with np.load(weights) as file:
        state = dict(file)
    np.savez(weights, **state | {"out_bias": state["out_bias"] + STEP})  # as another processor may round one weight
    step("export")
    step("publish", code=1)
    by_store = said[-1]
    folder = tmp_path / "bentoml/models" / tag.replace(":", "/")
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]
    shutil.copytree(folder, tmp_path / "kept")
    # The remedy that the message names. It leaves the registry, which knows the version still.
    delete = [sys.executable, "-m", "bentoml", "models", "delete", "--yes", tag]
    subprocess.run(delete, env=environment(tmp_path), check=True, capture_output=True)
    step("publish", code=1)
    by_registry = said[-1]

    assert f"the BentoML store has another {tag}: model.onnx and encoded.onnx" in by_store
    assert "another kind of processor" in by_store
    assert f"bentoml models delete {tag}" in by_store

    digest = json.loads((tmp_path / "kept/manifest.json").read_bytes())["sha256"]["model.onnx"]
    other = sha256((tmp_path / "var/train/hand_made/small/model.onnx").read_bytes())
    assert digest == sha256((tmp_path / "kept/model.onnx").read_bytes()) != other
    assert f"has another {tag}, as version 1: model.onnx differs, SHA-256 {digest[:16]}… there" in by_registry
    assert f"{other[:16]}… here" in by_registry
    assert not folder.exists()
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        tags = database.execute("select version, value from model_version_tags where key = 'model_sha256'").fetchall()
    database.close()
    assert tags == [(1, digest)]
