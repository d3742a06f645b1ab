"""The whole pipeline as a person runs it: what it leaves in the store, and what it does not."""

import csv
import hashlib
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import yaml

from configs.dataset import read_dataset
from models.artifact import Artifact
from tests.conftest import GERMAN_CREDIT, ROOT, Trained, environment, run_training
from tests.models.tables import write_hand_made

PRODUCTION = ROOT / "configs/models/001_production.yaml"
SMALL = """\
network: {layers: [8], members: 2}
encoding: {numbers: piecewise_linear, bins: 4}
training: {epochs: 20, folds: 2, learning_rate: 0.02}
"""
SEVERAL = """
import json, sys
from train.__main__ import main
for dataset, model in json.loads(sys.argv[1]):
    code = main(["--dataset", dataset, "--model", model])
    if code:
        sys.exit(code)
"""
BREAST_CANCER = "breast_cancer"


def write_breast_cancer(folder: Path) -> Path:
    """A table of numbers alone, from scikit-learn, and its dataset file."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    with (folder / "cancer.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*bunch.feature_names, "finding"])
        writer.writerows(
            [*row, bunch.target_names[outcome]] for row, outcome in zip(bunch.data, bunch.target, strict=True)
        )
    path = folder / "breast_cancer.yaml"
    dataset = {
        "name": BREAST_CANCER,
        "source": {"path": "cancer.csv"},
        "target": {"column": "finding", "event": "malignant"},
        "costs": {"missed_event": 10, "false_alarm": 1},
        "features": [{"name": str(name), "type": "number", "minimum": 0} for name in bunch.feature_names],
    }
    path.write_text(yaml.safe_dump(dataset))
    return path


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, trained):
    """One process, one empty store, three trainings: two other tables, and German Credit as `trained` was."""
    home = tmp_path_factory.mktemp("workshop")
    (home / "small.yaml").write_text(SMALL)
    (home / "data").symlink_to(ROOT / "data")
    jobs = [
        (write_hand_made(home), home / "small.yaml"),
        (write_breast_cancer(home), home / "small.yaml"),
        (GERMAN_CREDIT, PRODUCTION),
    ]
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps([[str(dataset), str(model)] for dataset, model in jobs])],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home


def models(home: Path, name: str) -> list[Path]:
    """Folders of the models called `name` in the store under `home`."""
    folder = home / "bentoml/models" / name
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file under `folder`, but for the runs of MLflow."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.timeout(600)
def test_the_same_inputs_give_the_same_version_and_the_same_bytes_in_an_empty_store(workshop, trained):
    (folder,) = models(workshop, "german_credit")
    assert folder.name == trained.folder.name
    for name in ("model.onnx", "dataset.json", "metrics.json", "reference_profile.bin", "model_card.md"):
        assert (folder / name).read_bytes() == (trained.folder / name).read_bytes(), name


def bare(folder: Path, rows: list[dict[str, str]]) -> np.ndarray:
    """Probabilities of the rows of a CSV by ONNX Runtime alone; an empty cell is the empty text or NaN."""
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    feed = {}
    for value in session.get_inputs():
        texts = [row[value.name] for row in rows]
        column = texts if value.type == "tensor(string)" else [float(text or "nan") for text in texts]
        feed[value.name] = np.array(column, dtype=object if value.type == "tensor(string)" else np.float32).reshape(
            -1, 1
        )
    return session.run(["probability"], feed)[0]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "least_auc"), [("hand_made", 0.55), (BREAST_CANCER, 0.97)])
def test_another_table_trains_by_its_yaml_alone_and_bare_onnx_runtime_scores_it(workshop, name, least_auc):
    from sklearn.metrics import roc_auc_score

    dataset = read_dataset(workshop / f"{name}.yaml")
    (folder,) = models(workshop, name)
    artifact = Artifact(folder, retrain="make train")
    with (workshop / dataset.source.path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    probabilities = bare(folder, rows)
    assert probabilities.shape == (len(rows),)
    assert (
        roc_auc_score([row[dataset.target.column] == dataset.target.event for row in rows], probabilities) > least_auc
    )
    assert list(artifact.scorer().inputs) == [feature.name for feature in dataset.features if not feature.protected]
    assert set(artifact.manifest.example) == {feature.name for feature in dataset.features}


@pytest.mark.timeout(600)
def test_runs_hold_parameters_curves_metrics_and_the_commit(workshop):
    with sqlite3.connect(workshop / "mlflow.db") as database:
        runs = dict(database.execute("select run_uuid, status from runs"))
        assert len(runs) == 3
        assert set(runs.values()) == {"FINISHED"}
        (points,) = database.execute("select count(*) from metrics where key = 'validation_loss'").fetchone()
        assert points == 20 + 20 + 30
        keys = {key for (key,) in database.execute("select distinct key from latest_metrics")}
        assert {"training_loss", "training_accuracy", "validation_accuracy", "test_roc_auc", "test_cost"} <= keys
        parameters = dict(database.execute("select key, value from params where key like 'training.%'"))
        assert parameters["training.seed"] == "0"
    database.close()


def test_a_model_that_is_there_is_not_trained_again(trained):
    before = contents(trained.folder)
    done = run_training(home_of(trained), GERMAN_CREDIT, PRODUCTION, "--if-missing")
    assert (done.returncode, done.stdout) == (0, f"{trained.tag}\n")
    assert "is in the store" in done.stderr
    assert contents(trained.folder) == before


def home_of(trained: Trained) -> Path:
    """The folder that `trained` was trained under."""
    return Path(trained.environment["BENTOML_HOME"]).parent


@pytest.mark.parametrize("fault", ["missing file", "empty yaml", "missing model file", "broken row"])
def test_a_failed_training_names_its_reason_and_leaves_the_store_untouched(trained, tmp_path, fault):
    text = GERMAN_CREDIT.read_text()
    dataset, model = tmp_path / "german_credit.yaml", PRODUCTION
    table = tmp_path / "broken.csv"
    expected = {
        "missing file": [str(table), "No such file", "source.path"],
        "empty yaml": [str(dataset), "is empty"],
        "missing model file": ["nowhere.yaml", "no such file"],
        "broken row": [str(table), "line 3", "column 'purpose'", "holiday"],
    }[fault]
    dataset.write_text("" if fault == "empty yaml" else text.replace("data/german_credit.csv", str(table)))
    if fault == "missing model file":
        model, dataset = Path("nowhere.yaml"), GERMAN_CREDIT
    if fault == "broken row":
        lines = (ROOT / "data/german_credit.csv").read_text().splitlines(keepends=True)
        lines[2] = lines[2].replace("radio_tv", "holiday")
        table.write_text("".join(lines))
    store = home_of(trained) / "bentoml"
    before = contents(store)
    done = run_training(home_of(trained), dataset, model)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.search("^error: ", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr
    assert [part for part in expected if part not in done.stderr] == []
    assert contents(store) == before


@pytest.mark.timeout(300)
def test_an_interrupt_while_fitting_leaves_nothing_half_written(tmp_path):
    """Ctrl-C once the run has its parameters, which is when fitting begins."""
    (tmp_path / "long.yaml").write_text("{network: {layers: [64], members: 16}, training: {epochs: 10000}}")
    process = subprocess.Popen(
        [sys.executable, "-m", "train", "--dataset", str(GERMAN_CREDIT), "--model", str(tmp_path / "long.yaml")],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - there are no threads here
    )
    try:
        deadline = time.monotonic() + 200
        while not fitting(tmp_path / "mlflow.db"):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "nothing was published" in told
    assert "Traceback" not in told
    assert models(tmp_path, "german_credit") == []
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        ((status,),) = database.execute("select status from runs").fetchall()
    database.close()
    assert status in ("FAILED", "KILLED")


def fitting(path: Path) -> bool:
    """Whether the run in this store has its parameters."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            found = bool(database.execute("select count(*) from params").fetchone()[0])
        database.close()
    except sqlite3.OperationalError:
        return False
    return found
