"""The decision log: one write per batch, and all or nothing if the disk fails."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from monitoring.profiles.profiler import catch_up
from monitoring.records.decision_log import DecisionLog
from monitoring.records.line_encoding import encode_line
from monitoring.records.lines import Batch, Row
from monitoring.records.log_keys import NO_KEYS
from monitoring.records.log_place import LogUnavailable
from monitoring.records.proof.chain import read_chain
from monitoring.records.proof.verification import verify
from monitoring.records.segments import is_closed, read, segments
from monitoring.status import Status, count
from tests.conftest import struct_of

PREAMBLE = """
import os, resource, sys
import msgspec
from pathlib import Path
from monitoring.records.decision_log import DecisionLog
from monitoring.records.log_place import LogUnavailable
from monitoring.records.lines import Row
directory = Path(sys.argv[1])
applicant = msgspec.defstruct("Applicant", ["purpose"])("x" * 100)
rows = [Row("http", 0.5, "approve", applicant)] * 4
"""


def run_python(script: str, directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script, str(directory)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_batch_reads_back_as_it_was_sent(tmp_path, log, rows):
    log.append("german_credit:1f", rows(3))
    [(batch, end)] = read(segments(tmp_path)[0])
    assert (batch.sequence, batch.model, len(batch.rows)) == (0, "german_credit:1f", 3)
    assert batch.rows[2].applicant == {
        "age_years": 20,
        "purpose": "教育",
        "savings": "tier 2",
        "sex": None,  # other rows of the batch have it
        "application_id": "application 2",
    }
    assert batch.rows[0].applicant["savings"] is None
    assert batch.time.utcoffset().total_seconds() == 0
    assert end == segments(tmp_path)[0].stat().st_size


def test_a_line_names_each_field_once_and_only_fields_that_were_sent(tmp_path, log, rows):
    log.append("m:1", rows(64))
    log.append("m:1", rows(64)[::2])  # none of which has a sex
    _, first, second = segments(tmp_path)[0].read_bytes().splitlines()
    assert (first.count(b'"age_years"'), first.count(b'"sex"')) == (1, 1)
    assert (second.count(b'"age_years"'), second.count(b'"sex"')) == (1, 0)
    told, silent = ([row.applicant for row in batch.rows] for batch, _ in read(segments(tmp_path)[0]))
    assert [applicant["sex"] for applicant in told[:2]] == [None, "female"]
    assert silent == [{name: value for name, value in one.items() if name != "sex"} for one in told[::2]]


def test_a_single_optional_feature_that_no_row_has_is_not_logged(tmp_path, log):
    applicant = msgspec.defstruct("Applicant", [("id", str), ("age", int | msgspec.UnsetType, msgspec.UNSET)])
    log.append("m:1", [Row("v2", 0.5, "approve", applicant("a")), Row("v2", 0.5, "approve", applicant("b"))])
    [(batch, _)] = read(segments(tmp_path)[0])
    assert [row.applicant for row in batch.rows] == [{"id": "a"}, {"id": "b"}]


def test_a_batch_is_one_write(tmp_path):
    script = """
def writes():
    return int(Path("/proc/self/io").read_text().split("syscw:")[1].split()[0])
log = DecisionLog(directory, 2**26)
log.append("m:1", rows)  # the first one also records that the segment begins
before = writes()
log.append("m:1", rows)
log.append("m:1", rows * 1_000)
print(writes() - before)
"""
    assert run_python(script, tmp_path) == "2\n"


def test_sequence_numbers_continue_across_batches(tmp_path, log, rows):
    for number in (3, 1, 64):
        log.append("m:1", rows(number))
    assert [batch.sequence for batch, _ in read(segments(tmp_path)[0])] == [0, 3, 4]


def test_an_empty_batch_writes_nothing(tmp_path, log):
    log.append("m:1", [])
    assert segments(tmp_path)[0].stat().st_size == 0


def test_only_the_owner_can_read_the_log(tmp_path, log, rows):
    log.append("m:1", rows(1))
    segment = segments(tmp_path)[0]
    assert stat.S_IMODE(segment.stat().st_mode) == 0o600
    assert stat.S_IMODE(segment.parent.stat().st_mode) == 0o700


def test_a_full_segment_is_followed_by_a_new_one(tmp_path, rows):
    log = DecisionLog(tmp_path, segment_bytes=1_000)
    for first in range(0, 100, 5):
        log.append("m:1", rows(5, first))
    paths = segments(tmp_path)
    assert len(paths) > 5
    read_back = [row.applicant["application_id"] for path in paths for batch, _ in read(path) for row in batch.rows]
    assert read_back == [f"application {i}" for i in range(100)]
    assert count(tmp_path).served == 100


def test_two_processes_write_separate_segments(tmp_path, rows):
    logs = [DecisionLog(tmp_path, 2**26) for _ in range(2)]
    for log in logs:
        log.append("m:1", rows(2))
    assert len(segments(tmp_path)) == 2
    assert count(tmp_path) == Status(4, 4, 0, 4)


def test_an_empty_segment_is_removed_on_close(tmp_path, rows):
    DecisionLog(tmp_path, 2**26).close()
    assert segments(tmp_path) == []


def test_a_full_disk_rejects_the_whole_batch_and_logging_resumes_with_space(tmp_path):
    script = """
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
log = DecisionLog(directory, 2**26)
taken = refused = 0
for _ in range(50):
    try:
        log.append("m:1", rows)
        taken += 4
    except LogUnavailable:
        refused += 4
assert refused and taken, (taken, refused)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append("m:1", rows)
print(taken + 4)
"""
    taken = int(run_python(script, tmp_path))
    assert count(tmp_path) == Status(taken, taken, 0, taken)
    assert segments(tmp_path)[0].read_bytes().endswith(b"\n")


def test_a_read_only_folder_rejects_new_segments_and_logging_resumes_after_it():
    script = """
log = DecisionLog(directory, segment_bytes=1)
log.append("m:1", rows)
folder = directory / "decisions"
folder.chmod(0o500)
try:
    log.append("m:1", rows)
except LogUnavailable as error:
    print(error)
folder.chmod(0o700)
log.append("m:1", rows)
"""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() == 0:  # root may write anywhere, the user nobody may not
            os.chown(name, 65534, 65534)
            script = "os.seteuid(65534)\n" + script
        said = run_python(script, Path(name))
        assert said == f"{name}/decisions: cannot be written (Permission denied); check free space and permissions\n"
        assert count(Path(name)) == Status(8, 8, 0, 8)


def test_a_directory_that_cannot_be_created_fails_at_start(tmp_path):
    (tmp_path / "var").write_text("in the way")
    with pytest.raises(LogUnavailable, match="var/decisions: cannot be written"):
        DecisionLog(tmp_path / "var", 2**26)


def test_a_deleted_directory_is_created_again(tmp_path, log, rows):
    log.append("m:1", rows(2))
    for path in segments(tmp_path):
        path.unlink()
    (tmp_path / "decisions").rmdir()
    log.append("m:1", rows(3))
    assert count(tmp_path) == Status(3, 3, 0, 3)


GONE = {
    "was removed": lambda path: path.unlink(),
    "was moved away": lambda path: path.rename(path.with_suffix(".away")),
    "was replaced": lambda path: (path.rename(path.with_suffix(".away")), path.write_bytes(b"")),
    "has 0 bytes instead of": lambda path: os.truncate(path, 0),
}


@pytest.mark.parametrize("what", GONE)
def test_a_log_that_others_take_away_while_it_is_written_is_said_at_once(tmp_path, log, rows, caplog, what):
    log.append("m:1", rows(2))
    [path] = segments(tmp_path)
    GONE[what](path)
    log.look()
    assert log.lost_segments == 1
    assert f"{path} {what}" in caplog.text
    assert "2 rows that were answered may be lost: `python -m monitoring verify`" in caplog.text
    log.append("m:1", rows(3))
    log.look()
    assert log.lost_segments == 1
    assert count(tmp_path).served == 3
    assert path.name in {one.segment for one in verify(tmp_path, NO_KEYS).broken}


def test_a_segment_that_cannot_be_begun_changes_nothing_about_the_one_before(tmp_path, rows, monkeypatch):
    log = DecisionLog(tmp_path, segment_bytes=1)
    log.append("m:1", rows(1))
    [segment] = segments(tmp_path)

    lock = fcntl.flock

    def no_locks(file, how):
        if "chain.log" not in str(Path(f"/proc/self/fd/{file}").readlink()):
            raise OSError(errno.ENOLCK, "No locks available")
        lock(file, how)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", no_locks)
        with pytest.raises(LogUnavailable):
            log.append("m:1", rows(1))
    log.append("m:1", rows(1))
    log.close()
    assert [one.entry.event for one in read_chain(tmp_path)].count("retired") == 0
    segment.unlink()
    assert [(one.segment, one.why[:10]) for one in verify(tmp_path, NO_KEYS).broken] == [(segment.name, "is missing")]


def test_a_folder_that_a_file_takes_the_place_of_refuses_rows_until_it_is_back(tmp_path, log, rows, caplog):
    log.append("m:1", rows(2))
    (tmp_path / "decisions").rename(tmp_path / "away")
    (tmp_path / "decisions").touch()
    log.look()
    assert log.lost_segments == 1
    assert "was moved away while it was written" in caplog.text
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            log.append("m:1", rows(1))
    (tmp_path / "decisions").unlink()
    log.append("m:1", rows(3))
    assert count(tmp_path).served == 3


def test_a_segment_that_another_process_changed_is_not_appended_to(tmp_path, log, rows):
    log.append("m:1", rows(2))
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b"torn")
    log.append("m:1", rows(3))
    assert len(segments(tmp_path)) == 2
    assert count(tmp_path) == Status(5, 5, 0, 5)


def test_a_value_that_json_cannot_encode_leaves_the_log_unchanged(tmp_path, log, rows):
    log.append("m:1", rows(1))
    with pytest.raises(TypeError):
        log.append("m:1", [Row("http", 0.5, "approve", struct_of({"purpose": object()}))])
    log.append("m:1", rows(1))
    assert count(tmp_path) == Status(2, 2, 0, 2)


def test_an_old_segment_is_followed_by_a_new_one_at_the_next_batch(tmp_path, rows):
    log = DecisionLog(tmp_path, 2**26, segment_s=0.2)
    for first in range(3):
        log.append("m:1", rows(1, first))
    young = segments(tmp_path)
    time.sleep(0.2)
    log.append("m:1", rows(1, 3))
    assert segments(tmp_path) == [*young, segments(tmp_path)[-1]]
    assert len(young) <= 3 < count(tmp_path).served == 4
    assert [batch.sequence for batch, _ in read(segments(tmp_path)[-1])] == [0]


def test_a_segment_is_closed_once_its_writer_moved_on_or_died(tmp_path, rows, fork):
    log = DecisionLog(tmp_path, segment_bytes=1)
    log.append("m:1", rows(1))
    [first] = segments(tmp_path)
    assert not is_closed(first)
    log.append("m:1", rows(1))
    assert is_closed(first)
    log.close()

    def write():
        DecisionLog(tmp_path, 2**26).append("m:1", rows(1))
        time.sleep(60)

    child = fork(write)
    deadline = time.monotonic() + 20
    while count(tmp_path).served < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    last = segments(tmp_path)[-1]
    assert not is_closed(last)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert is_closed(last)


def test_setting_the_clock_back_changes_no_count(tmp_path, rows, profile_totals, log_totals):
    log = DecisionLog(tmp_path, 2**26)
    log.append("m:1", rows(5))
    log.close()
    [segment] = segments(tmp_path)
    later = datetime.now(UTC) + timedelta(days=2)
    [(batch, _)] = read(segment)
    segment.unlink()
    written_then = segment.with_name(f"{later:%Y%m%dT%H%M%S.%fZ}{segment.name[23:]}")
    written_then.write_bytes(encode_line(Batch(batch.sequence, later, batch.model, rows(5))).content)
    log = DecisionLog(tmp_path, 2**26, segment_s=60)
    log.append("m:1", rows(3, 5))
    assert catch_up(tmp_path, 3600, 64)
    assert count(tmp_path) == Status(8, 8, 8, 0)
    assert profile_totals(tmp_path) == log_totals(tmp_path)


def test_a_reader_does_not_take_the_rest_of_a_line_for_a_line(tmp_path, log, rows):
    log.append("m:1", rows(2))
    [segment] = segments(tmp_path)
    whole = segment.read_bytes()
    segment.write_bytes(whole + whole[:50])
    reading = read(segment)
    next(reading)
    with segment.open("ab") as file:
        file.write(whole[50:])
    assert [end for _, end in reading] in ([], [2 * len(whole)])
    assert [end for _, end in read(segment, len(whole))] == [2 * len(whole)]
