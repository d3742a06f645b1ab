"""One version is one model: a second graph under the same version is refused by the store and by the registry."""

import json
import sqlite3
import subprocess
import sys

import pytest

from models.artifact import sha256
from tests.conftest import environment, lenient_gates, workplace
from tests.models.tables import write_hand_made
from tests.train.small import SMALL

# One weight is what another processor may round the other way. Deleting the model from the store is the remedy that the
# message names, and leaves the registry, which knows the version still.
TRAIN_TWO = """
import json, shutil, sys
from pathlib import Path
import bentoml
import numpy as np
from train.__main__ import main
from train.rounding import STEP

def step(*command):
    codes.append(main([*command, *sys.argv[1:]]))
    print("----", file=sys.stderr, flush=True)

codes, weights = [], Path("var/train/hand_made/small/network.npz")
step()
step("publish")
with np.load(weights) as file:
    state = dict(file)
np.savez(weights, **state | {"out_bias": state["out_bias"] + STEP})
step("export")
step("publish")
stored = bentoml.models.list("hand_made")
Path("stored.json").write_text(json.dumps([str(model.tag) for model in stored]))
shutil.copytree(stored[0].path, "kept")
bentoml.models.delete(stored[0].tag)
step("publish")
print(json.dumps(codes))
"""


@pytest.mark.timeout(600)
@pytest.mark.pipeline
def test_one_version_is_never_two_graphs(tmp_path):
    dataset, gates = write_hand_made(workplace(tmp_path)), lenient_gates(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_TWO, "--dataset", dataset.name, "--model", "small.yaml", "--gates", gates.name],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert json.loads(lines[-1]) == [0, 0, 0, 1, 1], done.stderr  # the same graph is welcome twice
    tag = lines[0]
    *_, by_store, by_registry, _ = (" ".join(part.split()) for part in done.stderr.split("----\n"))

    assert f"the BentoML store has another {tag}: model.onnx and encoded.onnx" in by_store
    assert "another kind of processor" in by_store
    assert f"bentoml models delete {tag}" in by_store
    assert json.loads((tmp_path / "stored.json").read_bytes()) == [tag]

    digest = json.loads((tmp_path / "kept/manifest.json").read_bytes())["sha256"]["model.onnx"]
    other = sha256((tmp_path / "var/train/hand_made/small/model.onnx").read_bytes())
    assert digest == sha256((tmp_path / "kept/model.onnx").read_bytes()) != other
    assert f"has another {tag}, as version 1: model.onnx differs, SHA-256 {digest[:16]}… there" in by_registry
    assert f"{other[:16]}… here" in by_registry
    assert not (tmp_path / "bentoml/models" / tag.replace(":", "/")).exists()
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        tags = database.execute("select version, value from model_version_tags where key = 'model_sha256'").fetchall()
    database.close()
    assert tags == [(1, digest)]
