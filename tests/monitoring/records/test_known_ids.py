"""Which of many ids have a decision: in segments with a filter or without, in archives, encrypted, erased."""

import time

import pytest

from monitoring.__main__ import main
from monitoring.records.decision_log import DecisionLog
from monitoring.records.id_filter import filters_directory
from monitoring.records.id_indexing import IdIndexing
from monitoring.records.known_ids import KnownIds
from monitoring.records.log_keys import NO_KEYS, LogKeys
from tests.monitoring.conftest import make_rows

ASKED = [f"application {number}" for number in (7, 3, 999, 0, 555, 7)]


def logged(directory, keys=NO_KEYS, rows=100, first=0):
    log = DecisionLog(directory, 2**26, 86_400, keys)
    log.append("m:1", make_rows(rows, first))
    log.close()


def test_without_a_log_no_id_is_known(tmp_path):
    assert KnownIds(tmp_path).without_decision(ASKED) == list(dict.fromkeys(ASKED))


@pytest.mark.parametrize("keys", [NO_KEYS, LogKeys([b"k" * 32])], ids=["plain", "encrypted"])
@pytest.mark.parametrize("filtered", [False, True])
def test_ids_without_a_decision_are_listed_once_and_in_order(tmp_path, keys, filtered):
    logged(tmp_path, keys)
    if filtered:
        while IdIndexing(tmp_path, keys, tail_bytes=1).step():
            pass
        assert list(filters_directory(tmp_path).glob("*.ids"))
    known = KnownIds(tmp_path, keys)
    assert known.without_decision(ASKED) == ["application 999", "application 555"]
    logged(tmp_path, keys, rows=1, first=555)
    assert known.without_decision(ASKED) == ["application 999"], "what was logged since"
    assert known.without_decision([]) == []


def test_a_segment_of_another_key_is_passed_over(tmp_path):
    logged(tmp_path, LogKeys([b"k" * 32]))
    logged(tmp_path, rows=1, first=555)
    assert KnownIds(tmp_path).without_decision(["application 3", "application 555"]) == ["application 3"]


def test_archived_decisions_are_known_and_an_archive_without_a_filter_is_taken_to_hold_every_id(tmp_path, monkeypatch):
    logged(tmp_path)
    while IdIndexing(tmp_path, tail_bytes=1).step():
        pass
    monkeypatch.setenv("SCORER_DIRECTORY", str(tmp_path))
    assert main(["catch-up"]) == main(["compact"]) == 0
    assert KnownIds(tmp_path).without_decision(ASKED) == ["application 999", "application 555"]
    for path in filters_directory(tmp_path).glob("*.ids"):
        path.unlink()
    assert KnownIds(tmp_path).without_decision(ASKED) == []


def test_a_search_ends_at_its_deadline(tmp_path):
    logged(tmp_path)
    with pytest.raises(TimeoutError):
        KnownIds(tmp_path).without_decision(ASKED, deadline_s=time.monotonic() - 1)
