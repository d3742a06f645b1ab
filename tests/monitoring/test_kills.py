"""Compacting and erasing, killed at every step or on a full disk: nothing is lost, duplicated or half done."""

import os
import resource
import shutil
import signal
import sys

import pyarrow.parquet as pq
import pytest

from monitoring.profiles.profiler import catch_up
from monitoring.records import erasure_journal
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.erasure import erase, prepare
from monitoring.records.retention import retain
from monitoring.records.segments import archives, read, segments
from monitoring.records.upkeep import exclusive_upkeep, run_upkeep
from monitoring.status import Status, count

pytestmark = pytest.mark.slow

STEPS = {
    "open",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.utime",
}  # audit events
SOMEBODY = "application 7"


def logged(directory):
    """Return `(segment, sequence): application_id` of every row, and how many rows are in two places."""
    found = {}
    double = 0
    for path in segments(directory):
        for batch, _ in read(path):
            for number, row in enumerate(batch.rows, batch.sequence):
                found[path.stem, number] = row.applicant.get("application_id")
    for path in archives(directory):
        columns = pq.ParquetFile(path).read(["segment", "sequence", "application_id"]).to_pydict()
        for segment, number, name in zip(*columns.values(), strict=True):
            key = segment.removesuffix(".log"), number
            double += key in found
            found[key] = name
    return found, double


@pytest.fixture
def home(tmp_path, rows):
    """Three profiled segments, one of them archived, each with a row of `SOMEBODY`."""
    home = tmp_path / "home"
    for first in (0, 100, 200):
        log = DecisionLog(home, 2**26)
        log.append("m:1", rows(20, first))
        log.append("m:1", rows(10))
        log.close()
        assert catch_up(home, 3600, 64)
        if first == 0:
            compact(home)
    return home


def run(fork, work):
    """Run `work` in a child process; return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])


def killed_at(step, directory, work):
    """Return `work` that is killed just before step number `step` in `directory`."""

    def killed():
        left = step

        def hook(event, arguments):
            nonlocal left
            if event in STEPS and str(arguments[0]).startswith(str(directory)):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        sys.addaudithook(hook)
        work(directory)

    return killed


def erase_somebody(directory):
    with exclusive_upkeep(directory):
        erase(directory, SOMEBODY)


def compact_all(directory):
    with exclusive_upkeep(directory):
        compact(directory)


def tidy(directory):
    return not list(directory.rglob("*.next")) and not erasure_journal.journal_path(directory).exists()


@pytest.mark.parametrize("work", [compact_all, erase_somebody])
def test_a_kill_at_any_step_loses_and_duplicates_no_row(tmp_path, home, fork, work):
    before, _ = logged(home)
    everybody = Status(90, 90, 90, 0)
    assert count(home) == everybody
    step = 0
    while True:
        directory = tmp_path / f"killed {step}"
        shutil.copytree(home, directory)
        status = run(fork, killed_at(step, directory, work))
        assert status in (0, -signal.SIGKILL)
        assert count(directory) == everybody, step
        assert logged(directory)[0].keys() == before.keys(), step

        run_upkeep(directory, 0)
        assert tidy(directory), step
        assert count(directory) == everybody, step
        now, double = logged(directory)
        gone = [name for name in before.values() if name == SOMEBODY and name not in now.values()]
        assert len(gone) in (0, 4), f"step {step}: half of the rows are erased"
        if work is erase_somebody:
            assert [record.rows for record in erasure_journal.read_records(directory)] == ([4] if gone else []), step

        work(directory)
        now, double = logged(directory)
        expected = {key: None if work is erase_somebody and name == SOMEBODY else name for key, name in before.items()}
        assert (now, double) == (expected, 0), step
        assert count(directory) == everybody, step
        assert sum(record.rows for record in erasure_journal.read_records(directory)) == (
            4 if work is erase_somebody else 0
        )
        assert tidy(directory), step
        shutil.rmtree(directory)
        if status == 0:
            break
        step += 1
    assert step > 15


@pytest.mark.parametrize("torn_bytes", [1, 200, 400])
def test_a_write_interrupted_by_a_kill_is_completed(home, torn_bytes):
    with exclusive_upkeep(home):
        plan = prepare(home, SOMEBODY).journal
        erasure_journal.commit(home, plan)
    for edit in plan.edits:
        with (home / "decisions" / edit.segment).open("rb+") as file:
            file.seek(edit.offset)
            file.write(edit.line[:torn_bytes])
    assert count(home).logged < 90
    with exclusive_upkeep(home) as recovered:
        assert recovered == 4
    assert count(home) == Status(90, 90, 90, 0)
    assert SOMEBODY not in logged(home)[0].values()


@pytest.mark.parametrize("work", [compact_all, erase_somebody])
def test_a_disk_that_fills_up_changes_nothing_or_the_rest_is_done_later(tmp_path, home, fork, work):
    before, _ = logged(home)
    outcomes = set()
    for limit in [*range(0, 9_000, 600), 1_000_000]:
        directory = tmp_path / f"full {limit}"
        shutil.copytree(home, directory)

        def until_full(directory=directory, limit=limit):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                work(directory)
            except OSError:
                os._exit(1)

        status = run(fork, until_full)
        outcomes.add(status)
        assert status in (0, 1), limit
        assert logged(directory)[0].keys() == before.keys(), limit
        if status == 1 and not erasure_journal.journal_path(directory).exists():
            assert tidy(directory), limit
            assert logged(directory) == (before, 0), limit
        work(directory)
        assert count(directory) == Status(90, 90, 90, 0), limit
        assert tidy(directory), limit
        assert logged(directory)[1] == 0, limit
        shutil.rmtree(directory)
    assert outcomes == {0, 1}


def test_only_one_process_changes_the_log_at_a_time(home, monkeypatch):
    monkeypatch.setattr("monitoring.records.upkeep.WAIT_S", 0.1)
    with (
        exclusive_upkeep(home),
        pytest.raises(BlockingIOError, match="another compact, erase or retain is running"),
        exclusive_upkeep(home),
    ):
        pass
    with exclusive_upkeep(home):
        run_upkeep(home, 0, None)  # does not wait
        assert retain(home, 0).segments == 0
