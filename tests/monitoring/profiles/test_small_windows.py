"""A profile of few rows would hold a person's values: such rows wait, and are counted once wherever they are."""

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.profiles.files import HELD, all_files, profile_files, read_view
from monitoring.profiles.profiler import Profiler, catch_up
from monitoring.profiles.windows import rows_of
from monitoring.records import checkpoint
from monitoring.records.checkpoint import profiles_directory
from monitoring.records.line_encoding import encode_line
from monitoring.records.lines import Batch
from monitoring.status import Status, count
from tests.monitoring.profiles.test_profiler import STEPS, commit_until

START = datetime(2026, 11, 21, 4, tzinfo=UTC)
LEAST = 30


def profiler_of(directory):
    return Profiler(directory, window_s=3600, frame_rows=64, least_window_rows=LEAST)


@pytest.fixture
def write(tmp_path, rows):
    """`write(hour, number, model)` logs so many rows in an hour, and profiles them."""
    (tmp_path / "decisions").mkdir()
    segment = tmp_path / "decisions/x.log"
    logged = 0

    def append(hour, number, model="m:1"):
        nonlocal logged
        line = encode_line(Batch(logged, START + timedelta(hours=hour), model, rows(number, logged))).content
        with segment.open("ab") as file:
            file.write(line)
        logged += number
        profiler_of(tmp_path).advance()

    return append


def found(directory):
    """Rows by model and file."""
    folder = profiles_directory(directory)
    return {path.relative_to(folder).as_posix(): rows_of(read_view(path)) for path in all_files(directory)}


def test_too_few_rows_make_no_profile_and_are_profiled(tmp_path, write):
    write(0, LEAST - 1)
    assert profile_files(tmp_path) == []
    assert found(tmp_path) == {f"m/1/{HELD}": LEAST - 1}
    assert count(tmp_path) == Status(LEAST - 1, LEAST - 1, LEAST - 1, 0)


def test_enough_rows_of_one_window_are_its_profile_however_they_come(tmp_path, write, profile_totals, log_totals):
    for _ in range(LEAST):
        write(0, 1)
    assert found(tmp_path) == {"m/1/20261121T040000Z.bin": LEAST}
    write(0, 1)
    assert found(tmp_path) == {"m/1/20261121T040000Z.bin": LEAST + 1}
    assert profile_totals(tmp_path) == log_totals(tmp_path)


def test_rows_of_a_window_with_too_few_are_counted_in_the_next(tmp_path, write, profile_totals, log_totals):
    write(0, 100)
    write(1, 5)
    assert found(tmp_path) == {"m/1/20261121T040000Z.bin": 100, f"m/1/{HELD}": 5}
    write(2, 6)
    assert found(tmp_path) == {"m/1/20261121T040000Z.bin": 100, f"m/1/{HELD}": 11}
    write(4, LEAST)
    assert found(tmp_path) == {"m/1/20261121T040000Z.bin": 100, "m/1/20261121T080000Z.bin": 41}
    assert read_view(profile_files(tmp_path)[1]).dataset_timestamp == START + timedelta(hours=4)
    assert profile_totals(tmp_path) == log_totals(tmp_path)
    assert count(tmp_path) == Status(141, 141, 141, 0)


def test_rows_of_another_model_or_of_a_window_that_has_a_profile_do_not_join(tmp_path, write):
    write(0, 100)
    write(1, 5)
    write(1, 7, "m:2")
    write(0, 1)
    assert found(tmp_path) == {"m/1/20261121T040000Z.bin": 101, f"m/1/{HELD}": 5, f"m/2/{HELD}": 7}


def test_rows_that_come_late_join_the_later_window(tmp_path, write):
    write(3, 5)
    write(1, LEAST)
    assert found(tmp_path) == {"m/1/20261121T070000Z.bin": LEAST + 5}


def test_many_small_windows_in_one_commit_are_one_profile(tmp_path, rows, profile_totals, log_totals):
    (tmp_path / "decisions").mkdir()
    lines = [encode_line(Batch(4 * i, START + timedelta(hours=i), "m:1", rows(4, i))).content for i in range(40)]
    (tmp_path / "decisions/x.log").write_bytes(b"".join(lines))
    assert catch_up(tmp_path, 3600, 64, least_window_rows=LEAST)
    assert all(number >= LEAST for name, number in found(tmp_path).items() if HELD not in name)
    assert len(profile_files(tmp_path)) == 5
    assert count(tmp_path) == Status(160, 160, 160, 0)
    assert profile_totals(tmp_path) == log_totals(tmp_path)


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_while_held_rows_become_a_profile_counts_each_once(
    tmp_path, log, rows, profile_totals, log_totals, step
):
    log.append("m:1", rows(20))
    profiler_of(tmp_path).advance()
    assert profile_files(tmp_path) == []
    log.append("m:1", rows(20, 20))
    work = profiler_of(tmp_path).collect()
    assert sorted(path.name == HELD for path in work.files) == [False, True]
    commit_until(step, tmp_path, work)

    committed = step in ("commit", "half of publish", "publish")
    assert count(tmp_path).profiled == (40 if committed else 20)
    assert sum(found(tmp_path).values()) <= 40, "a reader sees a row twice"
    profiler_of(tmp_path).advance()
    assert count(tmp_path) == Status(40, 40, 40, 0)
    assert profile_totals(tmp_path) == log_totals(tmp_path)
    [path] = all_files(tmp_path)
    assert path.name != HELD
    assert not list(profiles_directory(tmp_path).rglob("*.next"))


def test_publishing_again_after_a_kill_changes_nothing(tmp_path, log, rows):
    log.append("m:1", rows(20))
    profiler_of(tmp_path).advance()
    log.append("m:1", rows(20, 20))
    work = profiler_of(tmp_path).collect()
    checkpoint.prepare(work.files, work.checkpoint.generation)
    checkpoint.commit(profiles_directory(tmp_path), work.checkpoint)
    (profiles_directory(tmp_path) / "m/1" / HELD).unlink()  # killed after this, before its `.next` was
    profiler_of(tmp_path)
    assert list(found(tmp_path).values()) == [40]
