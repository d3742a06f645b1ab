"""An encrypted log: unreadable without the key, bound to its segment, and countable without the key."""

import base64
import json
import os

import pytest

from configs.source import ConfigError
from monitoring.profiles.profiler import catch_up
from monitoring.records.cipher import KeyMissing
from monitoring.records.decision_log import DecisionLog
from monitoring.records.log_keys import NO_KEYS, LogKeys, log_keys_from
from monitoring.records.segments import read, segments
from monitoring.status import Status, count, inspect_log
from tests.conftest import ROOT
from tests.forks import SERVICE

SECRET, OTHER = bytes(range(32)), bytes(32)
KEYS = LogKeys([SECRET])


@pytest.fixture
def write(tmp_path, rows):
    """`write(keys, *sizes)` writes a segment with batches of these sizes."""

    def write(keys, *sizes):
        log = DecisionLog(tmp_path, 2**26, keys=keys)
        for size in sizes:
            log.append("m:1", rows(size))
        log.close()
        return segments(tmp_path)[-1]

    return write


def row_lines(segment):
    """The lines between the head and the seal, which are never encrypted."""
    return segment.read_bytes().splitlines(keepends=True)[1:-1]


def test_an_encrypted_log_reads_back_and_is_unreadable_without_the_key(tmp_path, write):
    segment = write(KEYS, 3, 1)
    content = segment.read_bytes()
    assert b"application" not in content
    assert content.decode("ascii").count("\n") == 2 + len(row_lines(segment)) == 4
    first, second = (batch for batch, _ in read(segment, keys=KEYS))
    assert (first.sequence, len(first.rows), second.sequence) == (0, 3, 3)
    assert first.rows[2].applicant["application_id"] == "application 2"
    for keys in (NO_KEYS, LogKeys([OTHER])):
        with pytest.raises(KeyMissing, match=r"is encrypted with the key [0-9a-f]{8}, which is not in SCORER_LOG_KEY"):
            list(read(segment, keys=keys))


def test_an_encrypted_log_can_be_counted_without_the_key(tmp_path, write):
    write(KEYS, 3, 64)
    assert inspect_log(tmp_path, KEYS) == (Status(67, 67, 0, 67), 0)
    assert inspect_log(tmp_path) == (Status(67, 67, 0, 67), 67)


def test_encrypting_a_batch_twice_gives_different_lines(tmp_path, write):
    def contents(segment):
        return [line.split(b" ")[-1] for line in row_lines(segment)]

    assert len({*contents(write(KEYS, 1, 1)), *contents(write(KEYS, 1, 1))}) == 4


def test_a_line_copied_to_another_segment_counts_as_damaged(tmp_path, write):
    first, second = write(KEYS, 2), write(KEYS, 5, 2)
    foreign, own = row_lines(first)[0], second.read_bytes()
    second.write_bytes(own + foreign)
    assert [len(batch.rows) for batch, _ in read(second, keys=KEYS)] == [5, 2]
    first.write_bytes(own)
    assert list(read(first, keys=KEYS)) == []
    assert count(tmp_path, KEYS).logged == 7


@pytest.mark.parametrize("part", ["sequence", "rows", "content"])
def test_a_changed_line_with_a_right_checksum_counts_as_damaged(tmp_path, write, part):
    import zlib

    segment = write(KEYS, 2)
    head, line, _ = segment.read_bytes().splitlines(keepends=True)
    _, mark, key, sequence, rows, content = line.split()
    changed = {"sequence": (b"1", rows, content), "rows": (sequence, b"3", content)}
    changed["content"] = (sequence, rows, base64.b64encode(bytes(len(base64.b64decode(content)))))
    body = b" ".join([mark, key, *changed[part]])
    segment.write_bytes(head + b"%08x %b\n" % (zlib.crc32(body), body))
    assert list(read(segment, keys=KEYS)) == []
    assert count(tmp_path, KEYS).logged == 0


def test_a_plain_line_in_an_encrypted_segment_counts_as_damaged_and_the_other_way_round(tmp_path, write, rows):
    encrypted, plain = write(KEYS, 2), write(NO_KEYS, 2)
    in_plain, in_encrypted = row_lines(encrypted), row_lines(plain)
    for segment, forged in ((encrypted, in_encrypted), (plain, in_plain)):
        head, _, seal = segment.read_bytes().splitlines(keepends=True)
        segment.write_bytes(b"".join((head, *forged, seal)))
        assert list(read(segment, keys=KEYS)) == []
    assert count(tmp_path, KEYS).logged == 0


def test_a_plain_line_in_an_encrypted_segment_of_the_version_before_counts_as_damaged(write):
    encrypted, plain = write(KEYS, 2, 1), write(NO_KEYS, 2)
    first, _ = row_lines(encrypted)
    encrypted.write_bytes(first + row_lines(plain)[0])
    assert [len(batch.rows) for batch, _ in read(encrypted, keys=KEYS)] == [2]


def test_an_encrypted_segment_whose_head_is_damaged_takes_no_plain_line(write):
    encrypted, plain = write(KEYS, 2, 1), write(NO_KEYS, 2)
    first, _ = row_lines(encrypted)
    encrypted.write_bytes(b"damaged\n" + row_lines(plain)[0] + first)
    assert [len(batch.rows) for batch, _ in read(encrypted, keys=KEYS)] == [2]


def test_plain_and_encrypted_segments_of_two_keys_form_one_log(tmp_path, write, profile_totals):
    write(NO_KEYS, 3)
    write(LogKeys([OTHER]), 4)
    both = LogKeys([SECRET, OTHER])
    segment = write(both, 5)
    assert [len(batch.rows) for batch, _ in read(segment, keys=KEYS)] == [5]  # the first key encrypts
    assert catch_up(tmp_path, 3600, 64, keys=both)
    assert count(tmp_path, both) == Status(12, 12, 12, 0)
    assert profile_totals(tmp_path, both)["purpose"]["rows"] == 12


def test_a_segment_whose_key_is_missing_stays_pending_and_delays_no_other(tmp_path, write, caplog):
    write(LogKeys([OTHER]), 4)
    write(KEYS, 5)
    with pytest.raises(KeyMissing):
        catch_up(tmp_path, 3600, 64, keys=KEYS)
    assert count(tmp_path) == Status(9, 9, 5, 4)
    assert caplog.text.count("is encrypted with the key") == 1
    assert catch_up(tmp_path, 3600, 64, keys=LogKeys([SECRET, OTHER]))
    assert count(tmp_path) == Status(9, 9, 9, 0)


def test_a_torn_encrypted_line_is_ignored(tmp_path, write):
    segment = write(KEYS, 2, 3)
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:-1])[:-10])
    assert [len(batch.rows) for batch, _ in read(segment, keys=KEYS)] == [2]
    assert catch_up(tmp_path, 3600, 64, keys=KEYS)
    assert count(tmp_path, KEYS) == Status(2, 2, 2, 0)


@pytest.mark.parametrize("text", ["", "secret", base64.b64encode(bytes(16)).decode(), "%%%", ","])
def test_an_invalid_key_is_rejected_with_a_remedy_and_not_shown(text):
    with pytest.raises(ConfigError) as refused:
        log_keys_from({"SCORER_LOG_KEY": text})
    said = str(refused.value)
    assert said == (
        "environment: SCORER_LOG_KEY: is not base64 of 32 bytes; make one with `head -c 32 /dev/urandom | base64`, "
        "or unset it for a log in plain text"
    )


def test_keys_come_from_the_environment():
    assert not log_keys_from({})
    text = ",".join(base64.b64encode(secret).decode() for secret in (SECRET, OTHER))
    assert log_keys_from({"SCORER_LOG_KEY": text}).secrets == [SECRET, OTHER]


def monitoring(directory, *arguments, key=None):
    environment = {**os.environ, "SCORER_DIRECTORY": str(directory)}
    if key is not None:
        environment["SCORER_LOG_KEY"] = base64.b64encode(key).decode()
    return SERVICE.run("monitoring", arguments, ROOT, environment)


@pytest.mark.slow
def test_commands_report_a_missing_or_wrong_key_in_one_line(tmp_path, write):
    write(KEYS, 3)
    for key in (None, OTHER):
        done = monitoring(tmp_path, "status", "--json", key=key)
        assert (done.returncode, json.loads(done.stdout)["logged"]) == (0, 3)
        assert done.stderr == "3 rows encrypted with a key that is not in SCORER_LOG_KEY: counted, not decrypted\n"
        done = monitoring(tmp_path, "catch-up", key=key)
        assert (done.returncode, done.stdout) == (1, "")
        assert "which is not in SCORER_LOG_KEY" in done.stderr
        assert "Traceback" not in done.stderr
    assert monitoring(tmp_path, "status", key=b"short").returncode == 1
    assert monitoring(tmp_path, "catch-up", key=SECRET).returncode == 0
    assert monitoring(tmp_path, "status", key=SECRET).stderr == ""
