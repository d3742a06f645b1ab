"""One version is one model: a second graph under the same version is refused by the store and by the registry."""

import json
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from models.artifact import CONFIG, MANIFEST, sha256
from tests.conftest import environment, lenient_gates, with_mlflow
from tests.forks import TRAIN
from tests.models.tables import write_hand_made
from tests.train.small import SMALL, UNDRAWN
from train.rounding import STEP


def on_hand_made(home):
    """`python -m train` on the table made by hand in `home`: a function from a command to its result and its words."""
    dataset, lenient = write_hand_made(with_mlflow(home)), lenient_gates(home)
    (home / "small.yaml").write_text(SMALL)

    def run(*command, gates=lenient, code=0):
        inputs = ["--dataset", dataset.name, "--model", "small.yaml", "--gates", gates.name]
        done = TRAIN.run("train", [*command, *inputs], home, environment(home) | UNDRAWN)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        return done.stdout.strip(), " ".join(done.stderr.split())

    return run


@pytest.mark.pipeline
def test_no_stage_alone_publishes_what_a_gate_has_stopped(tmp_path):
    run = on_hand_made(tmp_path)
    made = tmp_path / "var/train/hand_made/small"

    def step(*command, code=1, **gates):
        return run(*command, code=code, **gates)[1]

    strict = lenient_gates(tmp_path, least_saving=99).rename(tmp_path / "strict.yaml")
    lenient_gates(tmp_path)
    stopped = "saving against one decision for all"
    assert stopped in step(gates=strict)
    assert stopped in step("publish", gates=strict)
    passed = (made / "gates.json").read_text().replace('"fail"', '"pass"')
    (made / "gates.json").write_text(passed)
    (made / "judgement.json").write_text((made / "judgement.json").read_text().replace('"fail"', '"pass"'))
    assert stopped in step("publish", gates=strict)

    more = lenient_gates(tmp_path, bootstrap=101).rename(tmp_path / "more.yaml")
    lenient_gates(tmp_path)
    assert "evidence.json: was gathered by other settings" in step("publish", gates=more)
    table = tmp_path / "applications (new).csv"
    before = table.read_bytes()
    table.write_bytes(before + before.splitlines(keepends=True)[-1])
    assert "the checks were passed by another table than" in step("publish")
    (made / "judgement.json").unlink()
    assert "the checks were passed by another table than" in step("publish")
    assert not (tmp_path / "bentoml/models/hand_made").exists()
    table.write_bytes(before)
    step("publish", code=0)
    assert (tmp_path / "bentoml/models/hand_made/champion").exists()


@pytest.mark.pipeline
def test_a_retraining_is_compared_with_the_champion_by_graph_and_by_recipe_and_publish_is_no_way_around_it(tmp_path):
    step = on_hand_made(tmp_path)
    made = tmp_path / "var/train/hand_made/small"
    champion, _ = step()
    version = champion.partition(":")[2]
    seen = ~np.load(made / "split.npy")
    assert seen.sum() == 192
    write_hand_made(tmp_path, rows=480)  # the first 240 as they were: the same model file on a newer table
    step()
    judgement = json.loads((made / "judgement.json").read_bytes())
    in_test = np.flatnonzero(np.load(made / "split.npy"))
    free = [row for row in in_test if row >= 240 or not seen[row]]
    assert 0 < len(free) < len(in_test) == 96
    comparison = judgement["comparison"]
    assert (comparison["version"], comparison["rows"]) == (version, len(free))
    assert comparison["recipe"]["value"] == 0
    assert comparison["graph"]["low"] < comparison["graph"]["value"] < comparison["graph"]["high"]
    named = {verdict["gate"]: verdict["status"] for verdict in judgement["verdicts"]}
    assert named[f"gain over the champion, {version}"] == named[f"gain over the champion's recipe, {version}"] == "pass"

    card = tmp_path / "bentoml/models/hand_made" / version / "model_card.md"
    whole = card.read_bytes()
    card.write_bytes(whole + b"edited")
    (made / "judgement.json").unlink()
    step("gate")
    damaged = json.loads((made / "judgement.json").read_bytes())
    assert {
        verdict["undefined"] for verdict in damaged["verdicts"] if verdict["gate"].startswith("gain over the c")
    } == {"that champion is damaged, or of a format that this code cannot read"}
    card.write_bytes(whole)
    config, manifest = card.parent / CONFIG, card.parent / MANIFEST
    kept = {path: path.read_bytes() for path in (config, manifest)}
    config.write_bytes(kept[config].replace(b'"steps"', b'"epochs"'))  # as a model file of earlier code
    manifest.write_bytes(
        kept[manifest].replace(*(sha256(text).encode() for text in (kept[config], config.read_bytes())))
    )
    (made / "judgement.json").unlink()
    step("gate")
    *_, by_recipe, by_graph = json.loads((made / "judgement.json").read_bytes())["verdicts"]
    assert by_recipe["undefined"] == "the champion's model file has keys that this code does not know"
    assert by_graph["status"] == "pass"
    for path, content in kept.items():
        path.write_bytes(content)
    (card.parent / "seen_rows.bin").rename(tmp_path / "seen_rows.bin")  # as an artifact of earlier code
    (made / "judgement.json").unlink()
    step("gate")
    before = json.loads((made / "judgement.json").read_bytes())["comparison"]
    assert (before["graph"], before["recipe"]["value"]) == (None, 0)
    assert before["why"].startswith("the champion does not say which rows it saw")
    (tmp_path / "seen_rows.bin").rename(card.parent / "seen_rows.bin")

    margins = {"saving": 0, "roc_auc": 0, "test_roc_auc": 0}
    strict = lenient_gates(tmp_path, least_gain_over_champion=0.99, margins=margins).rename(tmp_path / "strict.yaml")
    (tmp_path / "small.yaml").write_text(SMALL.replace("steps: 120", "steps: 119"))
    for command in ((), ("publish",)):
        _, said = step(*command, gates=strict, code=1)
        refused = said.split("so nothing was published")[1]
        assert f"gain over the champion, {version}: " in refused
        assert f"gain over the champion's recipe, {version}: " in refused
    step("gate", gates=lenient_gates(tmp_path, least_test_events=20).rename(tmp_path / "few.yaml"))
    judgement = json.loads((made / "judgement.json").read_bytes())
    assert judgement["comparison"]["graph"] is None  # 18 events, and 26 in the whole test part
    assert judgement["comparison"]["why"].startswith(f"{len(free)} test rows that neither saw, ")


@pytest.mark.timeout(600)
@pytest.mark.pipeline
def test_one_version_is_never_two_graphs(tmp_path):
    dataset, gates = write_hand_made(with_mlflow(tmp_path)), lenient_gates(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    inputs = ["--dataset", dataset.name, "--model", "small.yaml", "--gates", gates.name]
    weights, said = tmp_path / "var/train/hand_made/small/network.npz", []

    def step(*command, code=0):
        done = TRAIN.run("train", [*command, *inputs], tmp_path, environment(tmp_path) | UNDRAWN)
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
    assert "evidence.json: is about another model.onnx; measure again: python -m train evaluate" in said[-1]
    step("evaluate")
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
