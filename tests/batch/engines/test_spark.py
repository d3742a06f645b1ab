"""Spark: the values of `local`, whatever is killed, on this machine, under `spark-submit` and in a cluster."""

import subprocess

import pytest

from batch.engines.spark import SHORT_LIVED
from tests.batch.engines.conftest import START_S, Apart, kill_driver, kill_one, parts, until
from tests.batch.test_runs import ROWS, check
from tests.conftest import ROOT, free_port

pytestmark = pytest.mark.engines
ENGINE = "spark"
BIN = ROOT / ".venv-spark/bin"
LOOPBACK = {"SPARK_LOCAL_IP": "127.0.0.1"}
DAEMON = "pyspark.daemon"


def test_worker_and_driver_killed_midway_end_under_spark_submit_with_each_row_once(on, table, whole, tmp_path):
    out = tmp_path / "scores"
    process = on.start(table, out)
    until(lambda: parts(out) >= 3)
    kill_one(process.pid, DAEMON)
    before = parts(out)
    until(lambda: parts(out) > before + 2)
    kill_driver(process)
    assert parts(out) < ROWS // 10
    options = [
        "--master",
        "local[2]",
        "--conf",
        "spark.driver.host=127.0.0.1",
        "--conf",
        f"spark.driver.extraJavaOptions={SHORT_LIVED}",
    ]
    job = [BIN / "spark-submit", *options, ROOT / "batch/spark_submit.py", *on.command(table, out)[3:]]
    variables = on.environment | LOOPBACK | {"PYSPARK_PYTHON": str(BIN / "python")}
    done = subprocess.run(
        job, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=START_S
    )
    assert done.returncode == 3, done.stderr
    check(out, whole)


@pytest.fixture
def cluster(tmp_path):
    """Spark's own cluster on this machine: its address, and its worker."""
    port = free_port()
    spark_class = next((ROOT / ".venv-spark/lib").glob("python*/site-packages/pyspark/bin/spark-class"))
    variables = LOOPBACK | {"SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED, "SPARK_NO_DAEMONIZE": "1"}
    place = ["--host", "127.0.0.1", "--webui-port", "0"]
    address = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    master = Apart(
        [spark_class, f"{deploy}.master.Master", *place, "--port", str(port)], tmp_path / "master.log", **variables
    )
    master.wait_for("New state: ALIVE")
    room = ["--cores", "2", "--memory", "2g", "--work-dir", str(tmp_path / "work")]
    worker = Apart(
        [spark_class, f"{deploy}.worker.Worker", *place, *room, address], tmp_path / "worker.log", **variables
    )
    worker.wait_for("Successfully registered")
    yield address, worker, master
    worker.stop()
    master.stop()


def test_a_cluster_gets_code_and_model_and_scores_on_where_an_executor_was_killed(on, table, whole, cluster, tmp_path):
    address, worker, master = cluster
    out = tmp_path / "scores"
    process = on.start(table, out, "--address", address)
    until(lambda: parts(out) >= 3 or process.poll() is not None)
    kill_one(worker.process.pid, "CoarseGrainedExecutorBackend")
    _, told = process.communicate(timeout=START_S)
    assert process.returncode == 3, told
    check(out, whole)
    assert {line.split()[0] for line in told.splitlines()} == {"scored"}, told
    assert [*(tmp_path / "work").glob("app-*/*/credit-scorer/batch/part.py")]

    master.stop()
    done = on.run(table, tmp_path / "nowhere", "--address", address)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"--address {address}: Spark's master does not answer" in done.stderr
    done = on.run(table, tmp_path / "nowhere", JAVA_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no Java is at {tmp_path}/bin/java; Spark needs Java 17 or newer" in done.stderr
