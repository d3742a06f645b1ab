"""Retention: old files are deleted, except segments that are unprofiled or still being written."""

import os
import time

from monitoring.profiles.profiler import catch_up
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.retention import Deletion, retain
from monitoring.records.segments import archives, segments
from monitoring.records.upkeep import run_upkeep
from monitoring.status import Status, count

DAY_S = 86_400


def aged(path, days):
    then = time.time() - days * DAY_S
    os.utime(path, (then, then))


def write(directory, rows, days=0):
    before = segments(directory)
    log = DecisionLog(directory, 2**26)
    log.append("m:1", rows)
    log.close()
    [segment] = set(segments(directory)) - set(before)
    aged(segment, days)
    return segment


def test_old_segments_and_archives_are_deleted_and_counts_stay(tmp_path, rows):
    write(tmp_path, rows(1), days=40)
    write(tmp_path, rows(2), days=20)
    assert catch_up(tmp_path, 3600, 64)
    compact(tmp_path)
    for path, days in zip(archives(tmp_path), (40, 20), strict=True):
        aged(path, days)
    old = write(tmp_path, rows(4), days=31)
    young = write(tmp_path, rows(8), days=29)
    assert catch_up(tmp_path, 3600, 64)
    aged(old, 31)
    assert retain(tmp_path, 30) == Deletion(segments=1, archives=1)
    assert segments(tmp_path) == [young]
    assert len(archives(tmp_path)) == 1
    assert count(tmp_path) == Status(15, 15, 15, 0)
    assert retain(tmp_path, 30) == Deletion()
    assert retain(tmp_path, 10) == Deletion(segments=1, archives=1)
    assert list((tmp_path / "archive").iterdir()) == []
    assert count(tmp_path) == Status(15, 15, 15, 0)


def test_without_a_limit_nothing_is_deleted(tmp_path, rows):
    write(tmp_path, rows(1), days=10_000)
    assert catch_up(tmp_path, 3600, 64)
    assert retain(tmp_path, 0) == Deletion()
    assert len(segments(tmp_path)) == 1


def test_open_and_unprofiled_segments_are_kept_at_any_age(tmp_path, log, rows):
    log.append("m:1", rows(3))
    [being_written] = segments(tmp_path)
    assert catch_up(tmp_path, 3600, 64)
    aged(being_written, 100)
    pending = write(tmp_path, rows(2), days=100)
    assert retain(tmp_path, 30) == Deletion(deferred=2)
    assert segments(tmp_path) == [being_written, pending]
    assert catch_up(tmp_path, 3600, 64)
    assert retain(tmp_path, 30) == Deletion(segments=1, deferred=1)
    log.close()
    assert retain(tmp_path, 30) == Deletion(segments=1)
    assert count(tmp_path) == Status(5, 5, 5, 0)


def test_damage_stays_visible_after_its_segment_is_deleted(tmp_path, rows):
    log = DecisionLog(tmp_path, 2**26)
    for first in (0, 10, 20):
        log.append("m:1", rows(10, first))
    log.close()
    [segment] = segments(tmp_path)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    assert catch_up(tmp_path, 3600, 64)
    aged(segment, 2)
    retain(tmp_path, 1)
    assert count(tmp_path) == Status(30, 20, 20, 0)


def test_an_empty_segment_of_a_killed_writer_is_deleted(tmp_path):
    path = tmp_path / "decisions" / "20260101T000000.000000Z-1-00000000.log"
    path.parent.mkdir()
    path.touch()
    aged(path, 2)
    assert retain(tmp_path, 1) == Deletion(segments=1)


def test_upkeep_deletes_old_segments_without_a_command(tmp_path, rows, caplog):
    from monitoring.records.log_keys import NO_KEYS

    caplog.set_level("INFO")
    write(tmp_path, rows(3), days=3)
    assert catch_up(tmp_path, 3600, 64)
    run_upkeep(tmp_path, 2, NO_KEYS)
    assert segments(tmp_path) == []
    assert "retention deleted segments: 1, archives: 0" in caplog.text
