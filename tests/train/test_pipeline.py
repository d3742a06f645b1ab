"""The whole pipeline as a person runs it: what it leaves in the store, and what it does not."""

import csv
import hashlib
import os
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
from tests.conftest import PRODUCTION, ROOT, Trained, digests, environment, lenient_gates, run_training, workplace
from tests.forks import TRAIN
from tests.models.tables import write_hand_made
from tests.train.small import UNDRAWN

GERMAN_CREDIT = "configs/datasets/german_credit.yaml"
SMALL = """\
network: {layers: [8], members: 2}
encoding: {numbers: piecewise_linear, bins: 4}
training: {steps: 120, folds: 2, learning_rate: 0.02}
"""
BREAST_CANCER = "breast_cancer"
MADE = "var/train/hand_made/small"

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(900)]


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
def workshop(tmp_path_factory):
    """One store, two trainings: a table made by hand, and one of numbers alone."""
    home = workplace(tmp_path_factory.mktemp("workshop"))
    (home / "small.yaml").write_text(SMALL)
    lenient_gates(home)
    for table in (write_hand_made(home), write_breast_cancer(home)):
        # By name, as a person in that folder: the model card repeats it.
        done = run_training(home, table.name, "small.yaml", "--gates", "gates.yaml")
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


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The table made by hand as in `workshop`, in an empty store: by a process that is killed, and by the next."""
    home = tmp_path_factory.mktemp("again")
    small_inputs(home)
    inputs = ["--dataset", "hand_made.yaml", "--model", "small.yaml", "--gates", "gates.yaml"]
    with Path(os.devnull).open("r+") as nothing:
        process = TRAIN.start("train", inputs, home, environment(home), [nothing] * 3)
    try:
        while not (home / MADE / "curves.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert models(home, "hand_made") == []
    done = small_training(home)
    assert done.returncode == 0, done.stderr
    return home


def test_the_same_inputs_give_the_same_version_and_the_same_bytes_in_an_empty_store(workshop, again):
    """The production model: test_dvc.py."""
    ((first,), (second,)) = models(workshop, "hand_made"), models(again, "hand_made")
    assert first.name == second.name
    assert digests(first) == digests(second)


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
    text = (ROOT / GERMAN_CREDIT).read_text()
    dataset, model = tmp_path / "german_credit.yaml", Path(PRODUCTION)
    table = tmp_path / "broken.csv"
    expected = {
        "missing file": [str(table), "no such file", "source.path"],
        "empty yaml": [str(dataset), "is empty"],
        "missing model file": ["nowhere.yaml", "no such file"],
        "broken row": [str(table), "line 3", "column 'purpose'", "holiday"],
    }[fault]
    dataset.write_text("" if fault == "empty yaml" else text.replace("data/german_credit.csv", str(table)))
    if fault == "missing model file":
        model, dataset = Path("nowhere.yaml"), Path(GERMAN_CREDIT)
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


def test_a_mistake_in_the_inputs_is_told_before_pytorch_is_imported():
    command = [sys.executable, "-X", "importtime", "-m", "train", "--dataset", "nowhere.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error: nowhere.yaml: no such file" in done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "configs.dataset" in imported
    assert imported.isdisjoint({"torch", "mlflow", "sklearn"})


def test_an_interrupt_while_fitting_leaves_nothing_half_written(tmp_path):
    """Ctrl-C once the split is there, which is when fitting begins."""
    (tmp_path / "long.yaml").write_text("{network: {layers: [64], members: 16}, training: {steps: 100000}}")
    inputs = ["--dataset", str(GERMAN_CREDIT), "--model", str(tmp_path / "long.yaml")]
    with (tmp_path / "told").open("w") as output, Path(os.devnull).open() as nothing:
        process = TRAIN.start("train", inputs, workplace(tmp_path), environment(tmp_path), (nothing, output, output))
    try:
        deadline = time.monotonic() + 200
        while not (tmp_path / "var/train/german_credit/long/split.npy").exists():
            assert process.poll() is None, (tmp_path / "told").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        process.kill()
    told = (tmp_path / "told").read_text()
    assert process.returncode == 130
    assert "nothing was published" in told
    assert "Traceback" not in told
    assert models(tmp_path, "german_credit") == []
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        ((status,),) = database.execute("select status from runs").fetchall()
    database.close()
    assert status in ("FAILED", "KILLED")


def small_inputs(home):
    """The table made by hand, a small model and lenient gates for it."""
    write_hand_made(workplace(home))
    (home / "small.yaml").write_text(SMALL)
    lenient_gates(home)


def small_training(home, *more, **variables):
    """A training of them that takes a second; they are written when they are missing."""
    if not (home / "hand_made.yaml").exists():
        small_inputs(home)
    return run_training(home, "hand_made.yaml", "small.yaml", "--gates", "gates.yaml", *more, **variables)


def test_a_stage_that_was_killed_leaves_nothing_that_the_next_run_trips_over(again):
    assert len(models(again, "hand_made")) == 1
    left = {path.name for path in (again / MADE).iterdir()}
    assert {"model.onnx", "gates.json", "published.json"} <= left


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))  # no file may grow beyond: to a program, a disk that is full
from train.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_full_disk_is_told_and_the_next_run_recovers(again):
    """In the store of `again`, to which it adds a version."""
    before = contents(again / "bentoml/models")
    known = models(again, "hand_made")
    (again / "small.yaml").write_text(SMALL.replace("steps: 120", "steps: 121"))
    arguments = ["--dataset", "hand_made.yaml", "--model", "small.yaml", "--gates", "gates.yaml"]
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, *arguments],  # half a .pyc would break every import after it
        cwd=again,
        env=environment(again),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"^error: .*cannot be written .*free disk space and run again", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr
    assert contents(again / "bentoml/models") == before
    assert small_training(again, **UNDRAWN).returncode == 0
    assert len(models(again, "hand_made")) == len(known) + 1


def test_a_changed_column_order_changes_nothing(workshop, tmp_path):
    (first,) = models(workshop, "hand_made")
    small_inputs(tmp_path)
    path = tmp_path / read_dataset(tmp_path / "hand_made.yaml").source.path
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([row[::-1] for row in rows])
    assert small_training(tmp_path, **UNDRAWN).returncode == 0
    (second,) = models(tmp_path, "hand_made")
    assert second.name != first.name, "the table is another file"
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()
