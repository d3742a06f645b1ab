"""What is wrong with the records and the served model, by log files and manifests that are really there."""

import json
import os
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from models.artifact import Manifest
from monitoring.findings.log_state import log_state
from monitoring.findings.looking import PARTS, look
from monitoring.findings.record_findings import record_findings
from monitoring.profiles.profiler import catch_up
from monitoring.records.decision_log import DecisionLog
from monitoring.records.log_keys import NO_KEYS, log_keys_from
from monitoring.records.segments import segments
from monitoring.status import count

KEYS = log_keys_from({"SCORER_LOG_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="})


def codes(found):
    return [one.code for one in found]


def later(**span):
    return datetime.now(UTC) + timedelta(**span)


def test_a_log_that_is_profiled_and_fed_has_no_finding(settings, log, rows, tmp_path):
    log.append("m:1", rows(40))
    assert catch_up(tmp_path, 3600, 1024)
    assert record_findings(settings(), NO_KEYS, later(seconds=1)) == []
    state = log_state(tmp_path, NO_KEYS)
    assert (state.lost, state.pending, state.oldest_pending) == (0, 0, None)


@pytest.mark.parametrize("keys", [NO_KEYS, KEYS], ids=["plain", "encrypted"])
def test_rows_that_wait_too_long_for_their_profile_are_found_with_the_time_of_the_first(settings, rows, tmp_path, keys):
    with_keys = DecisionLog(tmp_path, 2**26, keys=keys)
    before = datetime.now(UTC)
    with_keys.append("m:1", rows(3))
    after = datetime.now(UTC)
    with_keys.append("m:1", rows(4))
    assert record_findings(settings(), keys, later(seconds=290)) == []
    (found,) = record_findings(settings(), keys, later(seconds=310))
    assert (found.code, found.bound) == ("profile_lag", 300)
    assert before <= found.since <= after
    assert found.value == pytest.approx(310, abs=60)
    assert found.message.startswith("7 logged rows are not profiled")
    with_keys.close()


def test_without_the_key_pending_rows_are_counted_and_dated_by_their_segment(rows, tmp_path):
    log = DecisionLog(tmp_path, 2**26, keys=KEYS)
    log.append("m:1", rows(3))
    state = log_state(tmp_path, NO_KEYS)
    assert state.pending == 3
    assert state.oldest_pending <= datetime.now(UTC)
    log.close()


@pytest.mark.parametrize("profiled_before", [False, True])
def test_a_damaged_line_is_found_as_rows_that_cannot_be_given_back(settings, log, rows, tmp_path, profiled_before):
    for _ in range(3):
        log.append("m:1", rows(10))
    (segment,) = segments(tmp_path)
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"approve", b"declina", 1)
    segment.write_bytes(b"".join(lines))
    if profiled_before:
        assert catch_up(tmp_path, 3600, 1024)
    (found,) = record_findings(settings(), NO_KEYS, later(seconds=1))
    assert (found.code, found.value, found.bound) == ("log_lag", 10, 0)
    assert "verify" in found.remedy
    counts = count(tmp_path)
    assert log_state(tmp_path, NO_KEYS).lost == counts.served - counts.logged
    assert log_state(tmp_path, NO_KEYS).pending == counts.pending


def test_silence_is_found_after_its_time_unless_it_is_turned_off(settings, log, rows, tmp_path):
    log.append("m:1", rows(40))
    assert catch_up(tmp_path, 3600, 1024)
    assert record_findings(settings(), NO_KEYS, later(hours=23)) == []
    (found,) = record_findings(settings(), NO_KEYS, later(hours=25))
    assert (found.code, found.bound) == ("no_traffic", 86_400)
    assert found.message == "nothing has been scored for 25 h"
    assert record_findings(settings(watch_no_traffic_s=0), NO_KEYS, later(hours=25)) == []


def test_a_clock_that_jumped_back_makes_no_finding(settings, log, rows):
    log.append("m:1", rows(40))
    assert record_findings(settings(), NO_KEYS, later(days=-300)) == []


def keep(directory, version, trained):
    """A version in the archive of models, of which only the description is read."""
    folder = directory / "models" / "m" / version
    folder.mkdir(parents=True)
    values = {"format": 4, "name": "m", "version": version, "trained_at": trained, "threshold": 0.5, "commit": ""}
    values |= {"data_sha256": "", "dataset_config": "", "model_config": "", "mlflow_run": "", "example": {}}
    (folder / "manifest.json").write_text(json.dumps(values | {"sha256": {}}))
    assert msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    return folder / "manifest.json"


def test_an_old_model_is_found_and_which_is_served_the_profiles_tell(settings, log, rows, tmp_path):
    keep(tmp_path, "old", "2020-01-01T00:00:00+00:00")
    new = keep(tmp_path, "new", "2026-06-01T00:00:00+00:00")
    now = datetime(2026, 7, 1, tzinfo=UTC)
    os.utime(new, (2e9, 2e9))  # kept last, and nothing is profiled yet
    assert record_findings(settings(), NO_KEYS, now) == []
    log.append("m:old", rows(40))  # rolled back
    assert catch_up(tmp_path, 3600, 1024)
    (found,) = record_findings(settings(watch_no_traffic_s=0), NO_KEYS, now)
    assert (found.code, found.subject, found.bound) == ("stale_model", "m:old", 365)
    assert found.since == datetime(2020, 12, 31, tzinfo=UTC)
    assert record_findings(settings(watch_no_traffic_s=0, watch_model_age_days=0), NO_KEYS, now) == []


def test_a_disk_that_is_nearly_full_is_found(settings, tmp_path):
    (found,) = record_findings(settings(watch_free_bytes=1 << 60), NO_KEYS, datetime.now(UTC))
    assert (found.code, found.subject, found.bound) == ("disk", str(tmp_path), 1 << 60)
    assert 0 < found.value < 1 << 60


def test_a_part_that_cannot_look_is_a_finding_and_hides_no_other(settings, monkeypatch):
    def torn(*_):
        raise OSError("profiles/checkpoint.json: cannot be decoded")

    monkeypatch.setitem(PARTS, "drift", torn)
    found = look(settings(watch_free_bytes=1 << 60), NO_KEYS, datetime.now(UTC))
    assert sorted(codes(found)) == ["disk", "not_watched"]
    (blind,) = [one for one in found if one.code == "not_watched"]
    assert (blind.subject, blind.value) == ("drift", None)
    assert blind.remedy.endswith("`python -m monitoring drift`")
    assert "checkpoint.json: cannot be decoded" in blind.message


def test_where_no_records_are_nothing_can_be_looked_at(settings, tmp_path):
    with pytest.raises(FileNotFoundError, match="there are no records to look at"):
        look(settings(directory=str(tmp_path / "nowhere")), NO_KEYS, datetime.now(UTC))
