"""The profiler as a child of the service: restarted when it dies, and finishing its work when the service ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

from monitoring.profiles.supervision import ProfilerProcess
from monitoring.records.checkpoint import profiles_directory
from monitoring.status import Status, count, profiled


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SCORER_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SCORER_INTERVAL_S", "0.05")


def wait_for(condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_profiler_is_restarted_and_stop_waits_until_it_has_finished(tmp_path, settings, log, rows):
    profiler = ProfilerProcess()
    profiler.start()
    log.append("m:1", rows(10))
    wait_for(lambda: profiled(tmp_path).rows == 10)
    first = profiler.pid
    os.kill(first, signal.SIGKILL)
    log.append("m:1", rows(10))
    wait_for(lambda: profiled(tmp_path).rows == 20)
    assert profiler.pid != first
    log.append("m:1", rows(10))
    assert profiler.stop(timeout_s=30)
    assert count(tmp_path) == Status(30, 30, 30, 0)


def test_the_child_ignores_signals_because_rows_may_still_arrive(tmp_path, settings, log, rows):
    profiler = ProfilerProcess()
    profiler.start()
    log.append("m:1", rows(10))
    wait_for(lambda: profiled(tmp_path).rows == 10)
    first = profiler.pid
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(first, number)
    log.append("m:1", rows(10))
    wait_for(lambda: profiled(tmp_path).rows == 20)
    assert profiler.pid == first
    assert os.sched_getscheduler(first) == os.SCHED_IDLE  # it leaves the cores to the service
    assert profiler.stop(timeout_s=30)


def test_a_profiler_stopped_while_starting_still_finishes(tmp_path, settings, log, rows):
    log.append("m:1", rows(10))
    profiler = ProfilerProcess()
    profiler.start()
    assert profiler.stop(timeout_s=30)
    assert count(tmp_path) == Status(10, 10, 10, 0)


def test_after_the_service_is_killed_the_profiler_finishes_and_exits(tmp_path, settings):
    script = """
import msgspec, time
from pathlib import Path
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.profiles.supervision import ProfilerProcess
import sys
applicant = msgspec.defstruct("Applicant", ["age"])(3)
profiler = ProfilerProcess()
profiler.start()
print(profiler.pid, flush=True)
log = DecisionLog(Path(sys.argv[1]), 2**26)
while True:
    log.append("m:1", [Row("http", 0.5, "approve", applicant)] * 10)
    time.sleep(0.001)
"""
    service = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: profiles_directory(tmp_path).exists() and profiled(tmp_path).rows > 0)
    service.kill()
    service.communicate(timeout=30)  # returns after the profiler has exited too, which shares stderr
    served = count(tmp_path).served
    assert count(tmp_path) == Status(served, served, served, 0)
