"""Exactly once: wherever the profiler is killed, each row is in the profiles once."""

import os
import random
import signal
import time

import pytest

from monitoring.profiles.profiler import Profiler, catch_up
from monitoring.records import checkpoint
from monitoring.records.checkpoint import CheckpointError, profiles_directory
from monitoring.records.decision_log import DecisionLog
from monitoring.records.locks import ProfilerLock
from monitoring.records.segments import segments
from monitoring.status import Status, count


def profiler_of(directory):
    return Profiler(directory, window_s=3600, frame_rows=64)


def commit_until(step, directory, work):
    """Commit up to and including `step`, like a process that is killed then."""
    profiles, generation = profiles_directory(directory), work.checkpoint.generation
    first, second = work.files
    halves = [{first: work.files[first]}, {second: work.files[second]}]
    steps = {
        "collect": lambda: None,
        "half of prepare": lambda: checkpoint.prepare(halves[0], generation),
        "a torn file": lambda: checkpoint.prepare({second: work.files[second][:100]}, generation),
        "prepare": lambda: checkpoint.prepare(work.files, generation),
        "a torn checkpoint": lambda: (profiles / "checkpoint.json.next").write_bytes(b'{"gen'),
        "commit": lambda: checkpoint.commit(profiles, work.checkpoint),
        "half of publish": lambda: checkpoint.publish(halves[0], generation),
        "publish": lambda: checkpoint.publish(halves[1], generation),
    }
    for name, act in steps.items():
        act()
        if name == step:
            return


STEPS = [
    "collect",
    "half of prepare",
    "a torn file",
    "prepare",
    "a torn checkpoint",
    "commit",
    "half of publish",
    "publish",
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("first_commit", [True, False], ids=["the first commit", "a later commit"])
def test_a_kill_after_any_step_of_a_commit_loses_and_duplicates_no_row(
    tmp_path, log, rows, profile_totals, log_totals, step, first_commit
):
    for model in ("m:1", "m:2"):
        log.append(model, rows(100))
    if not first_commit:
        profiler_of(tmp_path).advance()
        for model in ("m:1", "m:2"):
            log.append(model, rows(30, 100))
    before = count(tmp_path)
    commit_until(step, tmp_path, profiler_of(tmp_path).collect())

    committed = step in ("commit", "half of publish", "publish")
    assert count(tmp_path).profiled == (before.served if committed else before.profiled)
    log.append("m:1", rows(7, 130))  # logged while no profiler ran
    profiler_of(tmp_path).advance()
    assert count(tmp_path) == Status(before.served + 7, before.served + 7, before.served + 7, 0)
    assert profile_totals(tmp_path) == log_totals(tmp_path)
    assert not list(profiles_directory(tmp_path).rglob("*.next"))


def test_leftovers_of_an_aborted_commit_do_not_reach_the_next_one(tmp_path, log, rows, profile_totals, log_totals):
    log.append("m:1", rows(10))
    log.append("m:2", rows(10))
    profiler_of(tmp_path).advance()
    log.append("m:2", rows(5))
    profiler = profiler_of(tmp_path)
    work = profiler.collect()
    checkpoint.prepare(work.files, work.checkpoint.generation)
    commit_free = profiler_of(tmp_path)  # recovery deletes the leftover
    commit_free.advance()
    profiler_of(tmp_path)
    assert profile_totals(tmp_path) == log_totals(tmp_path)


def test_many_runs_give_the_same_profile_as_one_run(tmp_path, rows, profile_totals):
    said = []
    for name, stops in (("one", [1000]), ("split", [1, 64, 65, 500, 999, 1000])):
        log = DecisionLog(tmp_path / name, 2**26)
        first = 0
        for stop in stops:
            log.append("m:1", rows(stop - first, first))
            profiler_of(tmp_path / name).advance()
            first = stop
        said.append(profile_totals(tmp_path / name))
    assert said[0] == said[1]


@pytest.mark.slow
def test_a_kill_at_a_random_moment_loses_and_duplicates_no_row(
    tmp_path, rows, fork, follow, profile_totals, log_totals
):
    seed = random.randrange(2**32)
    moments = random.Random(seed)

    def write():
        log = DecisionLog(tmp_path, segment_bytes=200_000)
        number = 0
        while True:
            log.append(f"m:{number % 2}", rows(1 + number % 20, number))
            number += 1
            time.sleep(0.002)

    def generation():
        return checkpoint.load(profiles_directory(tmp_path)).generation

    for attempt in range(20):
        before = generation()
        writer = fork(write)
        profiler = fork(follow)
        if attempt % 3:  # otherwise kill it while it starts and recovers
            wait_for(lambda before=before: generation() > before)
        time.sleep(moments.uniform(0.0, 0.05))
        for process in (writer, profiler) if attempt % 2 else (profiler, writer):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    assert generation() >= 13, seed
    assert catch_up(tmp_path, 3600, 64)
    total = count(tmp_path)
    assert total == Status(total.served, total.served, total.served, 0), seed
    assert profile_totals(tmp_path) == log_totals(tmp_path), seed


def test_profiles_grow_while_rows_arrive_and_never_show_a_row_twice(tmp_path, log, rows, fork, follow, profile_totals):
    child = fork(follow)
    deadline = time.monotonic() + 20
    logged = 0
    seen = [0]
    while time.monotonic() < deadline and len(set(seen)) < 8:
        log.append("m:1", rows(20))
        logged += 20
        now = count(tmp_path)
        assert now.served == now.logged == logged
        assert now.pending == now.logged - now.profiled
        if list(profiles_directory(tmp_path).rglob("*.bin")):
            seen.append(profile_totals(tmp_path)["purpose"]["rows"])
            assert seen[-1] <= logged
        time.sleep(0.01)
    assert seen == sorted(seen)
    assert len(set(seen)) == 8
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    assert count(tmp_path) == Status(logged, logged, logged, 0)


def test_a_second_profiler_waits_and_takes_over(tmp_path, log, rows, fork, follow, profile_totals, log_totals):
    children = [fork(follow), fork(follow)]
    for first in range(0, 2_000, 20):
        log.append("m:1", rows(20, first))
        time.sleep(0.002)
    for child, first in zip(children, (2_000, 2_500), strict=True):
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        log.append("m:1", rows(500, first))
        if child == children[0]:
            wait_for(lambda: count(tmp_path).pending == 0)
    assert catch_up(tmp_path, 3600, 64)
    assert profile_totals(tmp_path) == log_totals(tmp_path)


def wait_for(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_only_one_process_holds_the_lock(tmp_path):
    with ProfilerLock(tmp_path) as first, ProfilerLock(tmp_path) as second:
        assert first.acquire()
        assert not second.acquire()
        first.release()
        assert second.acquire()


def test_a_lock_whose_file_is_deleted_is_lost(tmp_path):
    with ProfilerLock(tmp_path) as lock:
        assert lock.acquire()
        (tmp_path / "profiler.lock").unlink()
        assert not lock.held
        assert lock.acquire()


def test_catch_up_times_out_if_the_holder_of_the_lock_does_nothing(tmp_path, log, rows):
    log.append("m:1", rows(5))
    with ProfilerLock(profiles_directory(tmp_path)) as lock:
        assert lock.acquire()
        assert not catch_up(tmp_path, 3600, 64, timeout_s=0.2)
    assert catch_up(tmp_path, 3600, 64)


def test_a_commit_that_failed_half_way_is_completed_later(tmp_path, log, rows, profile_totals, log_totals):
    for model in ("a:1", "b:1"):
        log.append(model, rows(10))
    profiles_directory(tmp_path).mkdir()
    obstacle = profiles_directory(tmp_path) / "b"
    obstacle.write_text("where a folder should be")
    with pytest.raises(NotADirectoryError):
        profiler_of(tmp_path).advance()
    assert count(tmp_path) == Status(20, 20, 0, 20)
    obstacle.unlink()
    profiler_of(tmp_path).advance()
    assert profile_totals(tmp_path) == log_totals(tmp_path)


def test_damage_is_skipped_and_stays_visible(tmp_path, log, rows, profile_totals, log_totals, caplog):
    for first in (0, 10, 20):
        log.append("m:1", rows(10, first))
    segment = segments(tmp_path)[0]
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    assert catch_up(tmp_path, 3600, 64)
    assert count(tmp_path) == Status(served=30, logged=20, profiled=20, pending=0)
    assert profile_totals(tmp_path) == log_totals(tmp_path)
    assert "rows 10 to 19 are lost" in caplog.text


def test_a_torn_line_does_not_block_later_rows(tmp_path, log, rows):
    log.append("m:1", rows(10))
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b"01234567 {")
    log.append("m:1", rows(5))
    assert catch_up(tmp_path, 3600, 64)
    assert count(tmp_path) == Status(15, 15, 15, 0)
    assert catch_up(tmp_path, 3600, 64)


def test_a_deleted_segment_still_counts_and_a_restored_one_counts_once(tmp_path, log, rows):
    log.append("m:1", rows(10))
    assert catch_up(tmp_path, 3600, 64)
    segment = segments(tmp_path)[0]
    content = segment.read_bytes()
    segment.unlink()
    assert count(tmp_path) == Status(10, 10, 10, 0)
    segment.write_bytes(content)
    assert catch_up(tmp_path, 3600, 64)
    assert count(tmp_path) == Status(10, 10, 10, 0)


def test_profiles_without_a_checkpoint_are_not_added_to(tmp_path, log, rows, profile_totals, log_totals):
    log.append("m:1", rows(10))
    assert catch_up(tmp_path, 3600, 64)
    (profiles_directory(tmp_path) / "checkpoint.json").unlink()
    with pytest.raises(CheckpointError, match=r"move .*profiles away"):
        count(tmp_path)
    profiles_directory(tmp_path).rename(tmp_path / "away")
    assert catch_up(tmp_path, 3600, 64)
    assert profile_totals(tmp_path) == log_totals(tmp_path)


def test_profiles_deleted_under_a_running_profiler_are_rebuilt(
    tmp_path, log, rows, fork, follow, profile_totals, log_totals
):
    log.append("m:1", rows(10))
    child = fork(follow)
    wait_for(lambda: count(tmp_path).profiled == 10)
    profiles_directory(tmp_path).rename(tmp_path / "away")
    for path in (tmp_path / "away").rglob("*"):
        if path.is_file():
            path.unlink()
    log.append("m:1", rows(10, 10))
    wait_for(lambda: count(tmp_path) == Status(20, 20, 20, 0))
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    assert profile_totals(tmp_path) == log_totals(tmp_path)
