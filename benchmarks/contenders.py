"""The servers compared: the service, started as by `make serve`, and references set up as their documentation advises.

Owns names, commands and settings. Leaves the processes to `benchmarks.server`.
"""

import json
import re
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import bentoml

from benchmarks.references.rows import ARTIFACT
from benchmarks.server import HOST, ROOT, Server, free_port
from configs.service import read_service
from models.artifact import Artifact
from models.champion import ALIAS, champion

OURS, TWO = "credit-scorer", "credit-scorer, two workers"
INTERVAL, BATCH = "credit-scorer, sync: interval", "credit-scorer, sync: batch"
SYNCED = {INTERVAL: "interval", BATCH: "batch"}  # the service with another `sync` of its log than `none`
BENTOML = "plain BentoML, pydantic rows"
FASTAPI = "FastAPI + pydantic"
MOSEC = "mosec + msgspec"
ASGI = "bare ASGI + msgspec"
CONSTANT = "bare ASGI, a constant"
MLSERVER = "MLServer, gRPC"
HTTP = (BENTOML, FASTAPI, MOSEC, ASGI, CONSTANT)  # the references with `POST /predict`

PYTHON = ROOT / ".venv-bench/benchmarks/bin/python"
MLSERVER_COMMAND = ROOT / ".venv-bench/mlserver/bin/mlserver"
UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
SETTLE_S = 120


def start(artifact: Artifact, home: Path) -> Iterator[Server]:
    """Start the servers one by one, each with its own folder in `home`, without waiting until they are ready."""
    if not PYTHON.exists() or not MLSERVER_COMMAND.exists():
        sys.exit("the references are not installed; run: make bench-serving")
    yield service(OURS, artifact, home / "service")
    yield service(TWO, artifact, home / "two", workers=2)
    for name, sync in SYNCED.items():
        yield service(name, artifact, home / sync, sync=sync)
    yield plain_bentoml(artifact, home / "bentoml")
    yield asgi(FASTAPI, "fastapi_pydantic", artifact, home / "fastapi")
    yield mosec(artifact, home / "mosec")
    yield asgi(ASGI, "asgi_msgspec", artifact, home / "asgi")
    yield asgi(CONSTANT, "asgi_constant", artifact, home / "constant")
    yield mlserver(artifact, home / "mlserver")


def find(tag: str | None) -> Artifact:
    """The artifact of `tag` in the BentoML store, by default the champion."""
    name, _, version = (tag or read_service().model).partition(":")
    if version == ALIAS:
        version = champion(Path(bentoml.models.get(name).path).parent) or ""
    stored = bentoml.models.get(f"{name}:{version}" if version else name)
    return Artifact(Path(stored.path), retrain="make train")


def service(name: str, artifact: Artifact, home: Path, workers: int = 1, sync: str = "none") -> Server:
    """The service as started by `make serve`, with records, metrics and store in its own folder."""
    (home / "bentoml").mkdir(parents=True)
    (home / "bentoml/models").symlink_to(artifact.folder.parents[1])
    port, grpc_port = free_port(), free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "service:CreditScorer", "--host", HOST, "--port", str(port)]
    variables = {
        "BENTOML_HOME": str(home / "bentoml"),
        "SCORER_DIRECTORY": str(home / "var"),
        "SCORER_MODEL": artifact.tag,
        "SCORER_WORKERS": str(workers),
        "SCORER_SYNC": sync,
        "SCORER_GRPC_PORT": str(grpc_port),
    }
    return Server(name, command, port, home, variables, "/readyz", grpc_port)


def asgi(name: str, module: str, artifact: Artifact, home: Path) -> Server:
    """A reference run by uvicorn."""
    port = free_port()
    command = [str(PYTHON), "-m", "uvicorn", f"benchmarks.references.{module}:app", "--port", str(port), *UVICORN]
    return Server(name, command, port, home, {ARTIFACT: str(artifact.folder)})


def plain_bentoml(artifact: Artifact, home: Path) -> Server:
    """BentoML with its defaults."""
    port = free_port()
    target = "benchmarks.references.bentoml_pydantic:Reference"
    command = [str(PYTHON), "-m", "bentoml", "serve", target, "--host", HOST, "--port", str(port)]
    variables = {ARTIFACT: str(artifact.folder), "BENTOML_HOME": str(home / "bentoml")}
    return Server(BENTOML, command, port, home, variables, "/readyz")


def mosec(artifact: Artifact, home: Path) -> Server:
    """mosec, with one worker behind its Rust front end."""
    port = free_port()
    command = [str(PYTHON), "-m", "benchmarks.references.mosec_msgspec", "--address", HOST, "--port", str(port)]
    command += ["--path", str(home / "sockets"), "--log-level", "warning"]
    return Server(MOSEC, command, port, home, {ARTIFACT: str(artifact.folder)})


def mlserver(artifact: Artifact, home: Path) -> Server:
    """MLServer with the settings that its documentation advises for a model that takes microseconds."""
    home.mkdir(parents=True, exist_ok=True)
    ports = {"http_port": free_port(), "grpc_port": free_port()}
    settings = {"debug": False, "host": HOST, **ports, "metrics_endpoint": None, "parallel_workers": 0}
    (home / "settings.json").write_text(json.dumps(settings))
    model = {
        "name": artifact.manifest.name,
        "implementation": "benchmarks.references.mlserver_runtime.Runtime",
        "parameters": {
            "uri": str(artifact.folder / "model.onnx"),
            "extra": {"threshold": artifact.manifest.threshold},
        },
    }
    (home / "model-settings.json").write_text(json.dumps(model))
    command = [str(MLSERVER_COMMAND), "start", str(home)]
    return Server(MLSERVER, command, ports["http_port"], home, {}, "/v2/health/ready", ports["grpc_port"])


def settle(server: Server) -> None:
    """Wait until the service has profiled all logged rows, so that this work does not slow the next server down."""
    deadline_s = time.monotonic() + SETTLE_S
    while True:
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        counts = {
            name: sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))
            for name in ("scorer_logged_rows_total", "scorer_profiled_rows_total")
        }
        logged, profiled = counts.values()
        if profiled >= logged > 0:
            return
        if time.monotonic() > deadline_s:
            sys.exit(f"{server.name}: {logged - profiled:,.0f} rows are not profiled after {SETTLE_S} s")
        time.sleep(0.1)
