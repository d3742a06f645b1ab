"""`python -m monitoring` as an operator uses it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from monitoring.records.segments import segments
from monitoring.status import Status, count
from tests.conftest import ROOT
from tests.forks import SERVICE


@pytest.fixture
def monitoring(tmp_path):
    """`monitoring("status", "--json")` runs `python -m monitoring status --json` on `tmp_path`."""

    def run(*arguments):
        variables = {"SCORER_DIRECTORY": str(tmp_path), "SCORER_INTERVAL_S": "0.05"}
        return SERVICE.run("monitoring", arguments, ROOT, os.environ | variables)

    return run


def test_an_empty_directory_gives_zero_counts_and_stays_empty(tmp_path, monitoring):
    assert monitoring("status", "--json").stdout == '{"served": 0, "logged": 0, "profiled": 0, "pending": 0}\n'
    done = monitoring("catch-up")
    assert (done.returncode, done.stdout) == (0, "caught up: 0 of 0 rows profiled, 0 pending\n")
    assert list(tmp_path.iterdir()) == []


def test_catch_up_profiles_pending_rows(tmp_path, monitoring, log, rows):
    log.append("m:1", rows(5))
    assert json.loads(monitoring("status", "--json").stdout) == {"served": 5, "logged": 5, "profiled": 0, "pending": 5}
    done = monitoring("catch-up")
    assert (done.returncode, done.stdout, done.stderr) == (0, "caught up: 5 of 5 rows profiled, 0 pending\n", "")
    assert "profiled            5  rows in whylogs profiles" in monitoring("status").stdout


def test_catch_up_profiles_a_damaged_log_and_warns(tmp_path, monitoring, log, rows):
    for _ in range(3):
        log.append("m:1", rows(5))
    content = bytearray(segments(tmp_path)[0].read_bytes())
    content[content.index(b"decided")] ^= 1
    segments(tmp_path)[0].write_bytes(content)
    done = monitoring("catch-up")
    assert done.returncode == 0
    assert "the log is damaged: 5 served rows cannot be read back" in done.stderr


@pytest.mark.slow
def test_a_killed_profiler_loses_no_row_and_a_signalled_one_finishes(tmp_path, monitoring, log, rows):
    environment = {**os.environ, "SCORER_DIRECTORY": str(tmp_path), "SCORER_INTERVAL_S": "0.05"}
    for stop in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-m", "monitoring", "profile"], env=environment, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        before = count(tmp_path).profiled
        while count(tmp_path).profiled == before and time.monotonic() < deadline:
            log.append("m:1", rows(50))
            time.sleep(0.01)
        log.append("m:1", rows(50))
        process.send_signal(stop)
        said = process.communicate(timeout=30)[1]
        assert "application" not in said  # no personal data in its log
    served = count(tmp_path).served
    assert process.returncode == 0
    assert f"stopped, {served} rows in profiles" in said
    assert count(tmp_path) == Status(served, served, served, 0)


def test_an_invalid_setting_is_named(monitoring, monkeypatch):
    monkeypatch.setenv("SCORER_WINDOW_S", "1")
    done = monitoring("status")
    assert (done.returncode, done.stderr) == (
        1,
        "environment: SCORER_WINDOW_S: Expected int >= 60; give a value of that type\n",
    )
