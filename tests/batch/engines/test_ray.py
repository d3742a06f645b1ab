"""Ray: the values of `local`, whatever is killed, on this machine and in a cluster that was started apart."""

import json
import shutil
import tempfile

import pytest

from tests.batch.engines.conftest import START_S, Apart, below, kill_driver, kill_one, parts, until
from tests.batch.test_runs import FAULTY, ROWS, check
from tests.conftest import ROOT, free_port

pytestmark = pytest.mark.engines
ENGINE = "ray"
RAY = ROOT / ".venv-ray/bin/ray"
AT_WORK = ("ray::Map(_score)", "ray::_map_task", "ray::IDLE")


def test_worker_and_driver_killed_midway_end_with_each_row_once(on, table, whole, tmp_path):
    out = tmp_path / "scores"
    process = on.start(table, out)
    until(lambda: parts(out) >= 3)
    kill_one(process.pid, *AT_WORK)
    before = parts(out)
    until(lambda: parts(out) > before + 2)
    kill_driver(process)
    assert parts(out) < ROWS // 10
    done = on.run(table, out, "--json")
    assert done.returncode == 3, done.stderr
    check(out, whole)
    told = json.loads(done.stdout)
    assert (told["rows"], told["refused"]) == (ROWS - len(FAULTY), len(FAULTY))
    assert told["resumed"] >= 50
    assert {line.split()[0] for line in done.stderr.splitlines()} <= {"resumed", "scored"}, done.stderr
    log = (tmp_path / "var/log/batch-ray.log").read_text()
    assert "Execution plan" in log


@pytest.fixture
def cluster(tmp_path):
    """A cluster of this machine alone, in which nobody has our code: its address."""
    port = free_port()
    command = [
        RAY,
        "start",
        "--head",
        "--block",
        "--port",
        str(port),
        "--num-cpus",
        "2",
        "--include-dashboard",
        "false",
    ]
    (tmp_path / "ray").symlink_to(short := tempfile.mkdtemp(prefix="ray-"))  # the path of a socket may have 107 bytes
    folder = ["--temp-dir", short, "--object-store-memory", "100000000"]
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}
    head = Apart([*command, *folder], tmp_path / "head.log", **quiet)
    head.wait_for("Ray runtime started")
    yield f"127.0.0.1:{port}", head
    head.stop()
    shutil.rmtree(short)


def test_a_cluster_gets_code_and_model_and_a_part_that_ends_its_workers_is_told(on, table, whole, cluster, tmp_path):
    address, head = cluster
    out = tmp_path / "scores"
    process = on.start(table, out, "--address", address, RAY_AUTH_MODE="disabled")
    until(lambda: parts(out) >= 3 or process.poll() is not None)
    kill_one(head.process.pid, *AT_WORK)
    _, told = process.communicate(timeout=START_S)
    assert process.returncode == 3, told
    check(out, whole)
    assert [*tmp_path.glob("ray/session_latest/runtime_resources/working_dir_files/*/batch/part.py")]

    process = on.start(table, tmp_path / "never", "--address", address, RAY_AUTH_MODE="disabled")
    until(lambda: parts(tmp_path / "never") >= 1)
    while process.poll() is None:
        for worker in below(head.process.pid, *AT_WORK):
            worker.kill()
    said, told = process.communicate()
    assert (process.returncode, said) == (1, "")
    assert "3 workers ended while they scored one part" in told
    assert "Traceback" not in told

    head.stop()
    done = on.run(table, tmp_path / "nowhere", "--address", address)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"--address {address}: Ray does not answer" in done.stderr
    assert "ray start --head" in done.stderr
