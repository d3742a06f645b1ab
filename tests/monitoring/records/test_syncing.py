"""Syncing the log: when it happens, what a failed sync means, as the kernel sees it and with errors that it injects."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitoring.records.segments import segments
from monitoring.status import count
from tests.monitoring.records.test_decision_log import PREAMBLE

FAIL = "Input/output error"
# The fault comes from outside, so that nothing here stands in for the log: strace has the kernel refuse a call.
ONE_BATCH = """
log = DecisionLog(directory, 2**26, sync=sys.argv[2])
log.append("m:1", rows)
log.sync()
log.close()
"""


def traced(script: str, directory: Path, *arguments: str, inject: str = "") -> tuple[str, list[str]]:
    """Run a script with a log; return what it printed, and which of its files it wrote and synced, in order."""
    if not shutil.which("strace"):
        pytest.skip("NOT TESTED: syncing the log. There is no strace here; run: apt-get install strace")
    trace = directory.parent / "trace"
    options = ["-f", "-y", "-qq", "-e", "trace=fdatasync,fsync,write", "-e", "signal=none", "-o", str(trace)]
    options += ["-e", f"inject={inject}"] if inject else []
    done = subprocess.run(
        ["strace", *options, sys.executable, "-c", PREAMBLE + script, str(directory), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    calls = re.findall(r"(\w+)\(\d+<([^>]*)>", trace.read_text())
    return done.stdout, [
        f"{call} {Path(path).suffix or Path(path).name}"
        for call, path in calls
        if "var" in path and "chain" not in path
    ]


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "var"


def test_without_sync_the_log_never_waits_for_the_disk(directory):
    assert traced(ONE_BATCH, directory, "none")[1] == ["write .log"] * 2, "a batch and the seal"


def test_a_batch_is_synced_with_the_names_of_its_segment_and_folder(directory):
    done = traced(ONE_BATCH, directory, "batch")[1]
    assert done[:2] == ["write .log", "fdatasync .log"]
    assert {"fsync decisions", "fsync var"} <= set(done)


def test_what_is_synced_is_not_synced_again(directory):
    script = """
log = DecisionLog(directory, 2**26, sync="batch")
for _ in range(3):
    log.append("m:1", rows)
    log.sync()
    log.sync()
"""
    done = traced(script, directory)[1]
    assert [call for call in done if call.endswith(".log")] == ["write .log", "fdatasync .log"] * 3
    assert len([call for call in done if call.startswith("fsync")]) == 2, "the folders, once"


def test_a_full_segment_is_synced_although_the_next_has_begun(directory):
    script = """
log = DecisionLog(directory, 1, sync="batch")
for _ in range(3):
    log.append("m:1", rows)
log.sync()
"""
    done = traced(script, directory)[1]
    assert [call for call in done if call.endswith(".log")] == ["write .log"] * 5 + ["fdatasync .log"] * 3
    assert len(segments(directory)) == 3


def test_the_interval_syncs_without_being_asked(directory):
    script = """
import time
log = DecisionLog(directory, 2**26, sync="interval", sync_interval_ms=10)
log.append("m:1", rows)
while not log._unsynced.idle:
    time.sleep(0.01)
print(len(rows))
os._exit(0)
"""
    assert traced(script, directory)[1][:2] == ["write .log", "fdatasync .log"]


def test_a_failed_sync_is_a_lost_write_and_is_never_tried_again(directory):
    """The kernel calls the second attempt a success, although it has dropped what the first could not write."""
    script = """
log = DecisionLog(directory, 2**26, sync="batch")
log.append("m:1", rows)
for _ in range(2):
    try:
        log.sync()
        print("synced")
    except LogUnavailable as error:
        print(error)
log.append("m:1", rows)
log.sync()
log.close()
"""
    said, done = traced(script, directory, inject="fdatasync:error=EIO:when=1")
    assert said.splitlines() == [
        f"{directory}/decisions: cannot be written ({FAIL}); check free space and permissions",
        "synced",  # there is nothing left to sync
    ]
    assert [call for call in done if call.endswith(".log")] == ["write .log", "fdatasync .log"] * 3, (
        "twice and the seal"
    )
    assert len(segments(directory)) == 2, "the next batch is in a segment of its own"
    assert count(directory).served == 8, "rows that a reader may have counted were cut off"


def test_a_sync_that_fails_in_passing_refuses_the_next_batch(directory):
    script = """
import logging.handlers, queue
told = queue.SimpleQueue()
logging.basicConfig(format="%(message)s", handlers=[logging.handlers.QueueHandler(told)])
log = DecisionLog(directory, 2**26, sync="interval", sync_interval_ms=10)
log.append("m:1", rows)
print(told.get(timeout=60).getMessage())
for _ in range(2):
    try:
        log.append("m:1", rows)
        print("logged")
    except LogUnavailable as error:
        print(error)
sys.stdout.flush()
os._exit(0)  # strace counts the calls of each thread, so this one's would fail as well
"""
    said, _ = traced(script, directory, inject="fdatasync:error=EIO:when=1")
    why = f"{directory}/decisions: cannot be written ({FAIL}); check free space and permissions"
    assert said.splitlines() == [
        f"rows that were answered may be lost if the power fails now: {why}",
        why,
        "logged",
    ]
    assert len(segments(directory)) == 2


def test_a_folder_that_cannot_be_synced_is_a_lost_write_too(directory):
    script = """
log = DecisionLog(directory, 2**26, sync="batch")
log.append("m:1", rows)
try:
    log.sync()
except LogUnavailable:
    print("refused")
"""
    assert traced(script, directory, inject="fsync:error=EIO:when=1")[0] == "refused\n"


def test_rows_that_come_while_a_sync_fails_are_synced_by_the_next(directory):
    script = """
import threading, time
log = DecisionLog(directory, 2**26, sync="batch")
log.append("m:1", rows)

def sync_twice():
    try:
        log.sync()
    except LogUnavailable:
        log.sync()
        print("the rest is synced", flush=True)

thread = threading.Thread(target=sync_twice)
thread.start()
while not log._unsynced.idle:
    time.sleep(0.001)
log.append("m:1", rows)
thread.join()
os._exit(0)
"""
    said, done = traced(script, directory, inject="fdatasync:error=EIO:delay_enter=500000:when=1")
    assert said == "the rest is synced\n"
    assert [call for call in done if call.endswith(".log")].count("fdatasync .log") == 2
