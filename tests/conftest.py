"""What the tests share: a store of its own for the run, a model trained in it by the real pipeline, and a service."""

import contextlib
import fcntl
import functools
import gc
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from httpx._transports import default as httpx_transports

from tests.forks import SERVICE, TRAIN, Forked

ROOT = Path(__file__).parents[1]
GERMAN_CREDIT = ROOT / "configs/datasets/german_credit.yaml"
PRODUCTION = "configs/models/001_production.yaml"
GERMAN_CREDIT_MADE = "var/train/german_credit/001_production"  # by `trained`, in `clone` beside its store
START_S, STOP_S = 60, 30
SERVICE_TARGET = "service:CreditScorer"
# A worker of pytest has one core, on which threads of OpenMP that wait for each other spin: gradient boosting on 120
# rows took 43 s of CPU instead of 0.7. PyTorch and ONNX Runtime take one thread anyway.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Every client of httpx reads the certificates of all authorities, 20 ms of processor time, and the tests make thousands
# of clients: those with the same arguments share a context.
httpx_transports.create_ssl_context = functools.cache(httpx_transports.create_ssl_context)
# A shell without job control has what it starts in the background ignore Ctrl-C, and so would all that is started here.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
TRAINING_S = 500  # 20 on a quiet machine; this is for one with much else to do


# A worker takes a file at a time. What takes longest begins first, so that no worker is left with it at the end.
LONG = tuple(f"train/test_{name}" for name in ("dvc_own", "pipeline", "dvc", "tracking", "poison", "registry"))
# What needs a trained model or a running service asks for one of these, if only by way of another fixture.
MODEL_FIXTURES = frozenset({"trained", "serve", "policy_model"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--torture`: the tests of `tests/torture` at full length, as `make torture` runs them."""
    parser.addoption("--torture", action="store_true", help="faults at full length: some 15 minutes")


# Collecting imports nearly everything: the garbage collector would look at all of it again and again, and find nothing.
gc.disable()


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over what has been imported."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make check` leaves out, and order the files for workers that take one at a time."""
    for item in items:
        if not MODEL_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("model")
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    """The long files first, by what they take, then the rest as they stand."""
    name = item.path.with_suffix("").as_posix().removeprefix(f"{ROOT.as_posix()}/tests/")
    return LONG.index(name) if name in LONG else len(LONG)


def struct_of(values: dict[str, Any]) -> msgspec.Struct:
    """Values by name as a struct, which is what the decision log takes."""
    return msgspec.defstruct("Applicant", list(values))(**values)


@dataclass(frozen=True)
class Trained:
    """A model in a store: run things with `environment` to see it."""

    tag: str
    folder: Path
    environment: dict[str, str]

    @classmethod
    def in_store(cls, tag: str, home: Path) -> "Trained":
        """The model of that tag in the store that a training under `home` has filled."""
        folder = home / "bentoml/models" / tag.replace(":", "/")
        return cls(tag, folder, environment(home) | {"SCORER_MODEL": tag})


def workplace(home: Path) -> Path:
    """A working directory like a checkout, in which runs leave what they leave; gives `home`."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("configs", "data"):
        if not (home / name).exists():
            (home / name).symlink_to(ROOT / name)
    return home


def lenient_gates(home: Path, **changes: Any) -> Path:
    """A gates file that lets small models on small tables through, but for `changes`."""
    import yaml

    gates = yaml.safe_load((ROOT / "configs/gates.yaml").read_text())
    gates |= {
        "folds": 2,
        "repeats": 1,
        "bootstrap": 100,
        "least_gain_over_baseline": -1,
        "least_gain_over_champion": -1,
        "calibration_slope": [-1000, 1000],
        "least_saving": -100,
        "margins": {"saving": 0, "roc_auc": 1, "test_roc_auc": 1},
        "least_test_events": 2,
        "most_departure": 1,
        "least_reasons_kept": 0,
        "fairness": {"least_approval_ratio": 0, "most_odds_difference": 1, "least_rows": 30},
        "most_latency_ratio": 1000,
        "most_roc_auc": {"default": 1},
        "leak": {
            "most_column_roc_auc": 1,
            "most_column_information_value": 100,
            "most_column_purity": 1,
            "most_shared_rows": 1,
        },
        "waivers": [],
    }
    path = home / "gates.yaml"
    path.write_text(yaml.safe_dump(gates | changes))
    return path


def run_training(
    home: Path, dataset: Path | str, model: Path | str, *more: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """`python -m train` in a fork (`tests.forks`), with all that it leaves under `home`."""
    arguments = [*more, "--dataset", str(dataset), "--model", str(model)]
    return TRAIN.run("train", arguments, with_mlflow(home), environment(home) | variables)


def with_mlflow(home: Path) -> Path:
    """A `workplace` in which MLflow need not make its database, by a hundred migrations that take a second."""
    database = workplace(home) / "mlflow.db"
    if not database.exists():
        database.write_bytes(empty_mlflow())
    return home


@functools.cache
def empty_mlflow() -> bytes:
    """The database that MLflow makes when it is first used."""
    with tempfile.TemporaryDirectory() as folder:
        home = workplace(Path(folder))
        done = TRAIN.run("train", ["history"], home, environment(home))
        assert done.returncode == 0, done.stderr
        return (home / "mlflow.db").read_bytes()


def environment(home: Path) -> dict[str, str]:
    """The environment of a process that keeps everything under `home`."""
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "BENTOML_HOME": str(home / "bentoml"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db",
        "SCORER_DIRECTORY": str(home / "var"),
        "SCORER_GRPC_PORT": "0",  # none, unless a `Server` says which
    }


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of an artifact, the commit left out that its card names: it may change during a run."""
    from models.artifact import FILES, MANIFEST, sha256

    commit = json.loads((folder / MANIFEST).read_bytes())["commit"] or "unknown"
    return {name: sha256((folder / name).read_bytes().replace(commit.encode(), b"commit")) for name in FILES}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The production model of the German Credit table, as `dvc repro` makes it in a fresh clone.

    Trained once in a run, by the worker that asks first; the others wait for it. Who changes a store copies it.
    """
    from tests.train.clones import fresh

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home, result = shared / "trained", shared / "trained.json"
    with (shared / "trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        if not result.exists():
            clone = fresh(home)
            stages = clone.repro()
            published = json.loads((clone.folder / GERMAN_CREDIT_MADE / "published.json").read_bytes())
            result.write_text(json.dumps([published["tag"], stages]))
        return Trained.in_store(json.loads(result.read_text())[0], home)


def free_port() -> int:
    """A port that nobody has now, below those that the kernel gives to clients: one of them would be taken at times."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port


class Server:
    """`bentoml serve` on free ports, of loopback unless told otherwise; `log` holds all that it printed.

    Its processes are forks (`tests.forks`), which start in a fifth of the processor time, unless `forked` is false or
    something else than this checkout is served. With `tls`, what a client brings, it is asked by https.
    """

    def __init__(
        self,
        environment: dict[str, str],
        log: Path,
        workers: int = 1,
        target: str = SERVICE_TARGET,
        cwd: Path = ROOT,
        options: Sequence[str] = ("--host", "127.0.0.1"),
        tls: ssl.SSLContext | None = None,
        ports: tuple[int, int] | None = None,
        python: str = sys.executable,
        forked: bool = True,
    ) -> None:
        self.port, grpc_port = ports or (free_port(), free_port())
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.grpc = f"127.0.0.1:{grpc_port}"
        self._tls = tls
        self.log = log
        self._output = log.open("ab")
        arguments = ["serve", target, "--port", str(self.port), *options]
        environment = environment | {"SCORER_WORKERS": str(workers), "SCORER_GRPC_PORT": str(grpc_port)}
        self.process: subprocess.Popen[bytes] | Forked
        if forked and (target, cwd, python) == (SERVICE_TARGET, ROOT, sys.executable):
            with Path(os.devnull).open("rb") as nothing:
                files = (nothing, self._output, self._output)
                # The first worker starts the profiler and the watch, and each starts the process that explains.
                self.process = SERVICE.start("bentoml", arguments, cwd, environment, files, [3] + [1] * (workers - 1))
        else:
            self.process = subprocess.Popen(
                [python, "-m", "bentoml", *arguments],
                cwd=cwd,
                env=environment,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()  # whoever asked for it has nothing to stop it by
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while not self._ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def _ready(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"{self.url}/readyz", timeout=2, context=self._tls).status == 200)
        return False

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # our own group: nothing may outlive its test
            self._output.close()


def apart(model: Trained, home: Path) -> dict[str, str]:
    """The environment of a service that keeps its records under `home`, and its metrics.

    BentoML empties the folder of the metrics under BENTOML_HOME whenever a service starts there.
    """
    own = home / "bentoml"
    if not own.exists():
        own.mkdir(parents=True)
        (own / "models").symlink_to(Path(model.environment["BENTOML_HOME"]) / "models")
    return model.environment | {"BENTOML_HOME": str(own), "SCORER_DIRECTORY": str(home / "var")}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts services that end with the test; keyword arguments `SCORER_…` go into their environment."""
    servers: list[Server] = []

    def start(model: Trained, workers: int = 1, **settings: str) -> Server:
        server = Server(apart(model, tmp_path) | settings, tmp_path / f"serve{len(servers)}.log", workers)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session", params=["german_credit", "hand_made"])
def schema(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """German Credit, then a table with nullable columns, odd names and odd values."""
    from models.schema import Schema
    from tests.models.tables import german_credit, hand_made

    german = request.param == "german_credit"
    return Schema(german_credit() if german else hand_made(tmp_path_factory.mktemp("hand_made")))


@pytest.fixture(scope="session")
def german_applicants() -> list[dict[str, Any]]:
    """All 1,000 rows of the table as applicants: numbers as numbers, without the outcome."""
    import csv

    from configs.dataset import read_dataset

    dataset = read_dataset(GERMAN_CREDIT)
    with (ROOT / dataset.source.path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {f.name: row[f.name] if f.type == "categorical" else json.loads(row[f.name]) for f in dataset.features}
        for row in rows
    ]
