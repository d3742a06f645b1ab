"""Looking up a decision: the newest one of an id, in any segment or archive."""

import base64
import os
import time

import msgspec
import pytest

from monitoring.profiles import profiler
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.log_keys import LogKeys
from monitoring.records.lookup import find
from monitoring.records.segments import segments
from monitoring.records.upkeep import exclusive_upkeep


def named(rows, number, name):
    """Return row `number` with the application id `name`."""
    (row,) = rows(1, number)
    return msgspec.structs.replace(row, applicant=msgspec.structs.replace(row.applicant, application_id=name))


def test_a_decision_is_found_by_its_exact_id(tmp_path, log, rows):
    log.append("m:1", rows(20))
    log.append("m:2", rows(20, 20))
    found = find(tmp_path, "application 23")
    assert (found.model, found.row.probability, found.row.applicant["age_years"]) == ("m:2", 0.23, 41)
    assert find(tmp_path, "application 2").row.applicant["age_years"] == 20
    for stranger in ("application", "application 40", "möbel", "20", ""):
        assert find(tmp_path, stranger) is None


@pytest.mark.parametrize("name", ['a "quoted" one', "back\\slash", "new\nline", "žluťoučký kůň", "😀", "\x7f", "</a>"])
def test_any_id_is_found(tmp_path, log, rows, name):
    log.append("m:1", [named(rows, 5, name)])
    assert find(tmp_path, name).row.applicant["application_id"] == name


def test_the_newest_of_several_decisions_is_found(tmp_path, log, rows):
    log.append("m:1", [named(rows, 1, "x"), named(rows, 2, "x")])
    log.append("m:1", [named(rows, 3, "x"), *rows(3)])
    assert find(tmp_path, "x").row.probability == 0.03


def test_the_newest_decision_is_found_in_an_older_segment(tmp_path, log, rows):
    log.append("m:1", rows(1))
    other = DecisionLog(tmp_path, segment_bytes=2**26)  # another worker, which started later
    other.append("m:1", [named(rows, 1, "x")])
    log.append("m:1", [named(rows, 2, "x")])
    other.close()
    assert len(segments(tmp_path)) == 2
    assert find(tmp_path, "x").row.probability == 0.02


def test_a_missing_log_or_a_torn_line_gives_no_decision(tmp_path, log, rows):
    assert find(tmp_path / "nowhere", "x") is None
    log.append("m:1", rows(3))
    (segment,) = segments(tmp_path)
    os.truncate(segment, segment.stat().st_size - 1)
    assert find(tmp_path, "application 1") is None


def test_a_search_past_its_deadline_is_aborted(tmp_path, log, rows):
    log.append("m:1", rows(3))
    with pytest.raises(TimeoutError):
        find(tmp_path, "application 1", deadline_s=time.monotonic() - 1)


@pytest.mark.slow
@pytest.mark.parametrize("secret", [None, b"k" * 32])
def test_encrypted_and_archived_decisions_are_found(tmp_path, rows, monkeypatch, secret):
    keys = LogKeys([secret] if secret else [])
    if secret:
        monkeypatch.setenv("SCORER_LOG_KEY", base64.b64encode(secret).decode())
    log = DecisionLog(tmp_path, 1 << 20, 3600, keys)
    log.append("m:1", rows(20))
    before = find(tmp_path, "application 7", keys=keys)
    assert before.row.applicant["age_years"] == 25
    if secret:
        assert find(tmp_path, "application 7") is None, "found without the key"
    log.close()
    assert profiler.catch_up(tmp_path, 3600, 1024, keys=keys)
    with exclusive_upkeep(tmp_path):
        assert compact(tmp_path, keys).rows == 20
    assert not segments(tmp_path)
    after = find(tmp_path, "application 7", keys=keys)
    assert (after.time, after.model, after.row.probability) == (before.time, before.model, before.row.probability)
    assert after.row.applicant == {key: value for key, value in before.row.applicant.items() if value is not None}
    assert find(tmp_path, "application 70", keys=keys) is None
