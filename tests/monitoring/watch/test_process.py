"""The watch as a child of the service: it looks, one per folder, and ends with the service."""

import json
import os
import signal
import stat
import time

import pytest

from monitoring.watch.children import Children, WatchProcess
from monitoring.watch.files import FINDINGS, METRICS, monitor_folder
from monitoring.watch.process import WatchLock
from tests.monitoring.scheduling import hurry


def wait_for(condition, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SCORER_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SCORER_WATCH_EVERY_S", "1")
    monkeypatch.setenv("SCORER_WATCH_FREE_BYTES", str(1 << 40))


@pytest.fixture
def watch():
    watch = WatchProcess()
    yield watch
    watch.stop(timeout_s=0.1)


@pytest.mark.slow
def test_the_watch_looks_again_and_again_restarts_when_killed_and_ends_with_its_parent(tmp_path, settings, watch):
    metrics = monitor_folder(tmp_path) / METRICS
    watch.start()
    hurry(watch.pid)  # which had left the cores to the service
    wait_for(metrics.exists)
    assert stat.S_IMODE(metrics.parent.stat().st_mode) == 0o700
    (found,) = json.loads((monitor_folder(tmp_path) / FINDINGS).read_bytes())["findings"]
    assert found["code"] == "disk"
    first = metrics.read_text()
    wait_for(lambda: metrics.read_text() != first)
    killed = watch.pid
    os.kill(killed, signal.SIGTERM)  # which BentoML sends to every process below a worker
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: watch.pid != killed)
    hurry(watch.pid)
    metrics.unlink()
    wait_for(metrics.exists)
    assert watch.stop(timeout_s=60)
    assert not WatchLock(tmp_path).held


def test_while_another_process_looks_at_the_folder_the_watch_waits(tmp_path, settings, watch):
    with WatchLock(tmp_path) as lock:
        assert lock.acquire()
        watch.start()
        metrics = monitor_folder(tmp_path) / METRICS
        (log_lock,) = monitor_folder(tmp_path).iterdir()
        assert log_lock.name == "watch.lock"
        assert watch.stop(timeout_s=60)
        assert not metrics.exists()


@pytest.mark.parametrize(("index", "every_s", "runs"), [(1, 60, 2), (None, 60, 2), (1, 0, 1), (2, 60, 0)])
def test_the_first_worker_has_the_children_and_a_watch_that_is_turned_off_is_none(index, every_s, runs):
    children = Children(index, every_s)
    assert [bool(children.profiler), bool(children.watch)].count(True) == runs
    assert children.stop(1)  # never started
