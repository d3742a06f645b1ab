"""The engine of Spark: `mapInArrow` over the parts of a table, on this machine, in a cluster, or under `spark-submit`.

Owns the session and one task per part. A task whose worker dies is Spark's to start again; rows of the table and scores
never pass through Spark, whose frame holds the numbers of the parts going in and their summaries coming out.
"""

import logging
import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pyarrow as pa

from batch.engines.address import check_reachable, hosts_of, is_loopback
from batch.engines.chatter import diverted, log_of
from batch.engines.engine import MOST_ATTEMPTS, PartFailed
from batch.engines.shipment import ROOT, attempt, code_folder, pack, summary_of
from batch.errors import BatchError
from batch.job import Job, Part, PartSummary

LEAST_JAVA = 17
START_S = 600.0  # until a worker of a cluster has to take a task: machines may have to be started first
POLL_S = 0.2
RESULT = "number long, summary binary, error string"
UNDER_SUBMIT = "PYSPARK_GATEWAY_PORT"  # set by spark-submit


class SparkEngine:
    """Scores with Spark.

    Args:
        processes: at most so many at a time; 0 for as many as there are cores.
        address: of a cluster, as Spark writes it: `spark://host:port`, `yarn`; empty for this machine alone.
    """

    def __init__(self, processes: int, address: str) -> None:
        self.processes, self.address = processes, address

    def run(self, job: Job, parts: Sequence[Part]) -> Iterator[PartSummary]:
        """Score the parts."""
        log = log_of("spark")
        with _session(self.address, self.processes, log) as spark, ThreadPoolExecutor(1) as thread:
            from py4j.protocol import Py4JError
            from pyspark.errors import PySparkException

            context = spark.sparkContext
            finished = context.accumulator([], _listing())
            shipment = context.broadcast(pack(job))

            def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
                for batch in batches:
                    for number in batch.column(0).to_pylist():
                        summary, error = attempt(shipment.value, parts[number])
                        row = {"number": number, "summary": msgspec.json.encode(summary), "error": error}
                        finished.add([row])
                        yield pa.RecordBatch.from_pylist([row])

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of pandas 3, which only looks at its version here
                frame = spark.range(0, len(parts), 1, numPartitions=len(parts)).mapInArrow(score, RESULT)
            action = thread.submit(frame.collect)
            try:
                for row in _as_finished(action, finished, context):
                    if row["error"]:
                        raise PartFailed(row["error"])
                    yield summary_of(job, bytes(row["summary"]))
            except TimeoutError:
                problem = f"no worker of {self.address or 'Spark'} took a part in {START_S:.0f} s"
                raise PartFailed(f"{problem}; give the cluster free cores and memory; {log} says more") from None
            except (Py4JError, PySparkException, OSError) as error:
                raise PartFailed(_told(str(error), parts, log)) from None
            finally:
                with suppress(Py4JError, OSError):  # of a Java that is gone
                    context.cancelAllJobs()


def engine(processes: int, address: str) -> SparkEngine:
    """The engine."""
    import pyspark  # noqa: F401 - so that an environment without it says so at once

    if UNDER_SUBMIT not in os.environ:
        check_java()
    return SparkEngine(processes, address)


def check_java() -> None:
    """Raise `BatchError` where there is no Java for Spark."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin/java") if home else shutil.which("java")
    remedy = f"Spark needs Java {LEAST_JAVA} or newer: apt-get install openjdk-17-jre-headless, or set JAVA_HOME"
    try:
        command = [java or "java", "-version"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stderr  # noqa: S603 - the user's own
    except OSError:
        raise BatchError(f"no Java is at {java or 'any place of PATH'}; {remedy}") from None
    if (found := java_version(said)) < LEAST_JAVA:
        raise BatchError(f"{java} is Java {found or 'of an unknown version'}; {remedy}")


def java_version(said: str) -> int:
    """The version in what `java -version` says; 0 if there is none.

    >>> java_version('openjdk version "17.0.15" 2025-04-15'), java_version('java version "1.8.0_392"'), java_version("")
    (17, 8, 0)
    """
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else 0


@contextmanager
def _session(address: str, processes: int, log: Path) -> Iterator[Any]:
    """A session of Spark, which ends with the context."""
    from pyspark.sql import SparkSession

    if address:
        check_reachable(address, "Spark's master", "sbin/start-master.sh")
    logging.getLogger("py4j").handlers = [logging.FileHandler(log)]
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of workers, on other machines too
    cores = processes or len(os.sched_getaffinity(0))
    builder = SparkSession.builder.appName("credit-scorer").config(map=SETTINGS)
    with TemporaryDirectory(prefix="credit-scorer-code-") as folder:
        if address or UNDER_SUBMIT in os.environ:
            code = code_folder(Path(folder))
            archive = shutil.make_archive(str(code), "zip", code)
            builder = builder.config("spark.archives", f"{archive}#{code.name}")
            builder = builder.config("spark.executorEnv.PYTHONPATH", code.name)
            builder = builder.config("spark.cores.max", processes) if processes else builder
            builder = builder.master(address) if address else builder
        else:
            builder = builder.master(f"local[{cores},{MOST_ATTEMPTS}]").config(
                "spark.executorEnv.PYTHONPATH", str(ROOT)
            )
            builder = builder.config("spark.driver.extraJavaOptions", SHORT_LIVED)
        if all(is_loopback(host) for host, _ in hosts_of(address)) and UNDER_SUBMIT not in os.environ:
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            builder = builder.config(map={"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"})
        try:
            with diverted(log):
                spark = builder.getOrCreate()
        except Exception as error:  # noqa: BLE001 - py4j raises what Java does
            raise BatchError(f"Spark cannot be used ({_first_line(error)}); {log} says more") from None
        try:
            yield spark
        finally:
            from py4j.protocol import Py4JError

            with suppress(Py4JError, OSError):
                spark.stop()


# Java that compiles little: starting, which is nearly all that it does here, took 24 s of processor time instead of 40.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# Reports and pages that nobody asked for, and how often a task may take its worker with it.
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.task.maxFailures": str(MOST_ATTEMPTS),
}


def _listing() -> Any:
    """How Spark adds up what tasks have finished: one list."""
    from pyspark.accumulators import AccumulatorParam

    class Listing(AccumulatorParam[list[Any]]):  # type: ignore[misc]
        def zero(self, value: list[Any]) -> list[Any]:  # noqa: ARG002 - pyspark's name
            return []

        def addInPlace(self, value1: list[Any], value2: list[Any]) -> list[Any]:  # noqa: N802 - pyspark's name
            value1.extend(value2)
            return value1

    return Listing()


def _as_finished(action: Future[list[Any]], finished: Any, context: Any) -> Iterator[Any]:
    """What each task gave, once, as soon as that is known; raises `TimeoutError` if none is begun in time."""
    told: set[int] = set()
    deadline = time.monotonic() + START_S
    while True:
        ended = action in wait([action], POLL_S).done
        for row in action.result() if ended else list(finished.value):
            if row["number"] not in told:
                told.add(row["number"])
                yield row
        if ended:
            return
        if not told and time.monotonic() > deadline and _waits(context):
            raise TimeoutError


def _waits(context: Any) -> bool:
    """Whether no task has been begun."""
    tracker = context.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return not any(one and one.numActiveTasks + one.numCompletedTasks for one in stages)


def _told(said: str, parts: Sequence[Part], log: Path) -> str:
    """An error of Spark's in our words."""
    if missing := re.search(r"No module named '([\w.]+)'", said):
        return f"a worker has no package {missing[1]}; install there what requirements/ pins: docs/batch-engines.md"
    if (task := re.search(r"Task (\d+) in stage \S+ failed", said)) and re.search("crashed|Lost executor|exited", said):
        part = parts[int(task[1])]
        rows = f"rows {part.first_row:,} to {part.first_row + part.rows - 1:,} of {part.path}"
        how = f"{MOST_ATTEMPTS} workers ended while they scored {rows}, mostly for want of memory"
        return f"{how}: give a smaller --part-rows (SCORER_PART_ROWS), or fewer --processes; {log} says more"
    return f"Spark gave up ({_first_line(said)}); {log} says more"


def _first_line(said: object) -> str:
    lines = str(said).strip().splitlines() or [type(said).__name__]
    return next((line.lstrip(": ") for line in lines if "Exception: " in line), lines[0])
