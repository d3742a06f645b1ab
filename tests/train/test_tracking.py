"""What MLflow shows of a training, asked by its REST API: from the SQLite store, and from a server on PostgreSQL."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from configs.dataset import read_dataset
from models.artifact import sha256
from models.schema import Schema
from tests.conftest import ROOT, Trained, environment, with_mlflow
from tests.forks import TRAIN
from tests.models.tables import write_hand_made
from tests.train.small import LENIENT, SMALL, UNDRAWN

NAME = "hand_made"
LOOKED = 30  # times, in 120 steps
CURVES = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
METRICS = {
    *("accuracy", "precision", "recall", "f1", "cost", "roc_auc", "gini", "ks", "brier", "log_loss"),
    *("calibration_slope", "calibration_intercept"),
}
FIGURES = {
    *("learning_curves", "roc", "precision_recall", "calibration", "scores", "gain", "cost", "confusion"),
    *("permutation_importance", "calibration_by_decile", "lift", "segments", "partial_dependence", "interactions"),
    "sensitivity",
}
FILES = {
    *("classification_report.txt", "data_report.html", "evidence.json", "gates.json", "model_card.html"),
    "model_card.md",
}
START_S = 300

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Page:
    """An MLflow server, and the table and the training that it shows."""

    url: str
    dataset: Path
    trained: Trained

    def ask(self, path: str, /, **query: str) -> Any:
        """A reply of the REST API."""
        return json.loads(self.read(f"api/2.0/mlflow/{path}", **query))

    def read(self, path: str, /, **query: str) -> bytes:
        """The bytes at an address."""
        address = f"{self.url}/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            content: bytes = answer.read()
        return content

    def runs(self) -> list[dict[str, Any]]:
        """Every run of the table's experiment."""
        experiment = self.ask("experiments/get-by-name", experiment_name=NAME)["experiment"]
        body = json.dumps({"experiment_ids": [experiment["experiment_id"]]}).encode()
        asked = urllib.request.Request(
            f"{self.url}/api/2.0/mlflow/runs/search", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["runs"]
        return found

    def published(self) -> dict[str, Any]:
        """The run that was published."""
        (run,) = [run for run in self.runs() if tags(run)["outcome"] == "published"]
        return run

    def champion(self) -> dict[str, Any]:
        """The registered version that is the champion."""
        return dict(self.ask("registered-models/alias", name=NAME, alias="champion")["model_version"])


def tags(holder: dict[str, Any]) -> dict[str, str]:
    """Tags of a run or a version."""
    return {tag["key"]: tag["value"] for tag in holder.get("data", holder)["tags"]}


def free_port() -> int:
    """A port on loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], log: Path, stop: signal.Signals, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, of which nothing is left afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **more)
    try:
        yield process
    finally:
        process.send_signal(stop)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def mlflow_server(home: Path, *options: str) -> Iterator[str]:
    """`mlflow server`; yields its address."""
    home.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), home / "server.log"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    own = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    own |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running([*command, *options], log, signal.SIGTERM, cwd=home, env=own) as process:
        wait_for(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close(), process, log)
        yield f"http://127.0.0.1:{port}"


def wait_for(answer: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until there is an answer."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            answer()
        except (OSError, psycopg2.OperationalError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL of its own on a free port; yields host, port and name of an empty database."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb") or (str(installed[-1]) if installed else None)
    if found is None:
        pytest.skip("NOT TESTED: MLflow on PostgreSQL. There is no initdb here; run: apt-get install postgresql")
    binaries = Path(found).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's own folders are closed to other users
    try:
        user = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            other = pwd.getpwnam("nobody")
            os.chown(folder, other.pw_uid, other.pw_gid)
            user = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": ()}
        data, port, log = folder / "data", free_port(), folder / "log"
        options = ["--username=scorer", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            [str(binaries / "initdb"), *options, str(data)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **user,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), "fsync": "off"}
        command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        address = f"127.0.0.1:{port}/postgres"
        with running(command, log, signal.SIGINT, cwd=folder, **user) as process:
            wait_for(lambda: psycopg2.connect(f"postgresql://scorer@{address}").close(), process, log)
            yield address
    finally:
        shutil.rmtree(folder)


def train_small(
    home: Path, dataset: Path, gates: str, uri: str | None = None
) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """`python -m train` in `home` on a small model, with these gates, its runs in the store at `uri`, undrawn there."""
    with_mlflow(home)
    (home / "small.yaml").write_text(SMALL)
    (home / "gates.yaml").write_text(gates.replace("configs/models", str(ROOT / "configs/models")))
    own = environment(home) | ({"MLFLOW_TRACKING_URI": uri} | UNDRAWN if uri else {})
    inputs = ["--dataset", str(dataset), "--model", str(home / "small.yaml"), "--gates", str(home / "gates.yaml")]
    return TRAIN.run("train", inputs, home, own), own


def train_page(home: Path, uri: str | None = None) -> tuple[Path, Trained]:
    """The dataset file and the model of a training that is published."""
    dataset = write_hand_made(home)
    done, own = train_small(home, dataset, LENIENT, uri)
    assert done.returncode == 0, done.stdout + done.stderr
    tag = done.stdout.strip()
    return dataset, Trained(tag, home / "bentoml/models" / tag.replace(":", "/"), own)


@pytest.fixture(scope="module")
def default_page(tmp_path_factory):
    """The store that a training without any setting makes, as `make ui` shows it."""
    home = tmp_path_factory.mktemp("default")
    dataset, trained = train_page(home)
    with mlflow_server(home / "server", "--backend-store-uri", f"sqlite:///{home}/mlflow.db") as url:
        yield Page(url, dataset, trained)


@pytest.fixture(scope="module")
def postgresql_page(tmp_path_factory):
    """A remote server with its runs in PostgreSQL, to which the training went by MLFLOW_TRACKING_URI."""
    home = tmp_path_factory.mktemp("postgresql")
    with postgresql() as database:
        files = (home / "artifacts").as_uri()
        options = ["--backend-store-uri", f"postgresql+psycopg2://scorer@{database}", "--artifacts-destination", files]
        with mlflow_server(home / "server", *options) as url:
            dataset, trained = train_page(home, url)
            yield Page(url, dataset, trained)
            with (
                contextlib.closing(psycopg2.connect(f"postgresql://scorer@{database}")) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("select count(*) from runs")
                assert cursor.fetchone()[0] >= 1  # it is there that they were kept


@pytest.fixture(scope="module", params=["default_page", "postgresql_page"])
def page(request):
    return request.getfixturevalue(request.param)


def test_a_run_shows_parameters_curves_and_test_metrics(page):
    run = page.published()
    assert run["info"]["status"] == "FINISHED"
    parameters = {item["key"]: item["value"] for item in run["data"]["params"]}
    assert parameters["training.steps"] == "120"
    assert parameters["network.layers"] == "(8,)"
    assert parameters["training.seed"] == "0"  # which the file leaves to its default
    assert parameters["dataset"] == str(page.dataset)
    metrics = {item["key"]: item["value"] for item in run["data"]["metrics"]}
    kept = json.loads((page.trained.folder / "metrics.json").read_bytes())
    assert {name: metrics[f"test_{name}"] for name in METRICS} == {name: pytest.approx(kept[name]) for name in METRICS}
    kept = json.loads((page.dataset.parent / "var/train" / NAME / "small/curves.json").read_bytes())
    for name in CURVES:
        points = page.ask("metrics/get-history", run_id=run["info"]["run_id"], metric_key=name)["metrics"]
        shown = {int(point["step"]): point["value"] for point in points}
        assert shown == {look["step"]: pytest.approx(look[name]) for look in kept}
        assert len(shown) == LOOKED


def test_a_run_shows_figures_reports_and_the_model_card(page):
    identity = page.published()["info"]["run_id"]
    drawn = page.ask("artifacts/list", run_id=identity, path="figures")["files"]
    assert {item["path"] for item in drawn} == {f"figures/{name}.png" for name in FIGURES}
    for item in drawn:
        assert page.read("get-artifact", run_uuid=identity, path=item["path"]).startswith(b"\x89PNG")
    files = {item["path"] for item in page.ask("artifacts/list", run_id=identity)["files"]}
    assert files >= FILES
    assert b"precision" in page.read("get-artifact", run_uuid=identity, path="classification_report.txt")
    card = page.read("get-artifact", run_uuid=identity, path="model_card.md")
    assert card == (page.trained.folder / "model_card.md").read_bytes()


def test_a_run_names_the_data_the_code_and_the_environment(page):
    run = page.published()
    table = sha256((page.dataset.parent / read_dataset(page.dataset).source.path).read_bytes())
    (logged,) = run["inputs"]["dataset_inputs"]
    assert (logged["dataset"]["name"], logged["dataset"]["digest"]) == (NAME, table[:36])
    assert {tag["key"]: tag["value"] for tag in logged["tags"]}["mlflow.data.context"] == "training"
    manifest = json.loads((page.trained.folder / "manifest.json").read_bytes())
    found = tags(run)
    assert found["data_sha256"] == table
    assert found["commit"] == (manifest["commit"] or "unknown")
    assert found["dvc_lock_sha256"] == sha256((ROOT / "dvc.lock").read_bytes())
    assert found["requirements_sha256"] == sha256((ROOT / "requirements/all.txt").read_bytes())
    assert found["bentoml"] == page.trained.tag


def test_the_registered_model_has_a_signature_an_example_and_the_champion(page):
    version = page.champion()
    assert version["run_id"] == page.published()["info"]["run_id"]
    assert version["status"] == "READY"
    assert tags(version)["bentoml"] == page.trained.tag
    number = {"name": NAME, "version": version["version"]}
    model = yaml.safe_load(page.read("model-versions/get-artifact", path="MLmodel", **number))
    inputs = json.loads(model["signature"]["inputs"])
    expected = [feature.name for feature in Schema(read_dataset(page.dataset)).inputs]
    assert [column["name"] for column in inputs] == expected
    assert json.loads(model["signature"]["outputs"])[0]["name"] == "probability"
    example = model["saved_input_example_info"]["artifact_path"]
    shown = json.loads(page.read("model-versions/get-artifact", path=example, **number))
    assert shown["columns"] == expected
    graph = page.read("model-versions/get-artifact", path=model["flavors"]["onnx"]["data"], **number)
    assert len(graph) > 1000


def test_a_training_that_fails_a_gate_is_kept_and_marked_and_nothing_is_published(default_page, tmp_path):
    dataset = write_hand_made(tmp_path)
    before = default_page.champion()["version"]
    impossible = LENIENT.replace("least_saving: -100", "least_saving: 100")
    done, _ = train_small(tmp_path, dataset, impossible, default_page.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    (run,) = [run for run in default_page.runs() if run["info"]["status"] != "FINISHED"]
    assert run["info"]["status"] == "FAILED"
    assert tags(run)["outcome"] == "stopped at gate"
    reason = default_page.read("get-artifact", run_uuid=run["info"]["run_id"], path="error.txt").decode()
    assert "saving against one decision for all" in reason
    assert f"error: {reason}" in done.stderr
    assert {item["key"] for item in run["data"]["metrics"]} >= {f"test_{name}" for name in METRICS}
    assert list((tmp_path / "bentoml").rglob("model.onnx")) == []
    assert default_page.champion()["version"] == before
    assert len(default_page.ask("registered-models/get", name=NAME)["registered_model"]["latest_versions"]) == 1


def test_a_server_that_does_not_answer_is_named_with_the_remedy_and_nothing_is_published(tmp_path):
    uri = f"http://somebody:secret@127.0.0.1:{free_port()}"
    done, _ = train_small(tmp_path, write_hand_made(tmp_path), LENIENT, uri)
    assert (done.returncode, done.stdout) == (1, "")
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert error.startswith(f"error: MLflow at {uri.replace('somebody:secret@', '')} did not")
    assert error.endswith("unset MLFLOW_TRACKING_URI")
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert "fitting" not in done.stderr  # it is found out before the work is done
    assert list((tmp_path / "bentoml").rglob("model.onnx")) == []
