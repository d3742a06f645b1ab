"""Filters of ids: they spare a search the files that cannot hold an id, and never hide a row."""

import base64
import os
import stat
import subprocess
import sys

import msgspec
import pytest

from monitoring.profiles.profiler import catch_up
from monitoring.records import unread_tails
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.erasure import erase
from monitoring.records.id_filter import (
    Head,
    filter_path,
    filters_directory,
    fingerprint,
    new_secret,
    read_filter,
    write_filter,
)
from monitoring.records.id_indexing import IdIndexing
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.lookup import DecisionSearch, find
from monitoring.records.retention import retain
from monitoring.records.segments import archives, segments
from monitoring.records.upkeep import exclusive_upkeep
from tests.conftest import ROOT
from tests.monitoring.conftest import make_rows
from tests.service.conftest import until

SECRET = LogKeys([bytes(range(32))])


def write_segments(directory, number=3, rows=50, keys=NO_KEYS):
    """Closed segments, each with rows of its own."""
    for index in range(number):
        log = DecisionLog(directory, 2**26, keys=keys)
        for first in range(index * rows, (index + 1) * rows, 10):
            log.append("m:1", make_rows(10, first))
        log.close()


def index(directory, keys=NO_KEYS, **sizes):
    """Make every filter that can be made; return how many steps that took."""
    indexing, steps = IdIndexing(directory, keys, **sizes), 0
    while indexing.step():
        steps += 1
    return steps


def ids(number):
    return [f"application {i}" for i in range(number)]


@pytest.mark.parametrize("keys", [NO_KEYS, SECRET], ids=["plain", "encrypted"])
def test_every_id_is_found_and_an_unknown_one_costs_no_reading(tmp_path, keys):
    write_segments(tmp_path, keys=keys)
    assert index(tmp_path, keys) == 3
    assert index(tmp_path, keys) == 0, "complete filters are made again"
    search = DecisionSearch(tmp_path, keys)
    assert [search.find(f"stranger {i}") for i in range(500)] == [None] * 500
    assert (search.read_bytes, search.decoded_rows) == (0, 0)
    for one in ids(150):
        assert search.find(one).row.applicant["application_id"] == one
    longest = max(segment.stat().st_size for segment in segments(tmp_path))
    assert search.read_bytes <= 150 * longest, "a known id is looked for in its own segment alone"


def test_what_is_logged_after_the_filters_is_found_and_each_row_of_it_decoded_once(tmp_path, log):
    log.append("m:1", make_rows(50))
    assert index(tmp_path, tail_bytes=1) == 1
    search = DecisionSearch(tmp_path)
    for number in range(1, 4):
        log.append("m:1", make_rows(10, 40 + 10 * number))
        for _ in range(20):
            assert search.find("stranger") is None
        assert search.decoded_rows == 10 * number
    assert search.find("application 79").row.applicant["application_id"] == "application 79"
    assert index(tmp_path, tail_bytes=1) == 1, "an open segment is indexed as it grows"
    (segment,) = segments(tmp_path)
    found = read_filter(filter_path(tmp_path, segment), NO_KEYS)
    assert (found.head.ids, found.head.covered, found.head.complete) == (80, segment.stat().st_size, False)
    assert all(find(tmp_path, one) for one in ids(80))


def test_a_large_segment_is_indexed_in_steps(tmp_path):
    write_segments(tmp_path, number=1, rows=100)
    assert index(tmp_path, step_bytes=2000) > 3
    search = DecisionSearch(tmp_path)
    assert all(search.find(one) for one in ids(100))
    assert search.find("stranger") is None
    assert search.decoded_rows == 0


def test_memory_for_what_has_no_filter_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(unread_tails, "MAX_REMEMBERED", 30)
    write_segments(tmp_path)
    search = DecisionSearch(tmp_path)
    for _ in range(3):
        assert all(search.find(one) for one in ids(150))
        assert search.find("stranger") is None
    assert search.decoded_rows <= 40


def test_a_damaged_filter_hides_no_row_and_is_made_again(tmp_path):
    write_segments(tmp_path, number=1, rows=10)
    index(tmp_path)
    (segment,) = segments(tmp_path)
    path = filter_path(tmp_path, segment)
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))]
    damaged += [whole[:i] + bytes([whole[i] ^ bit]) + whole[i + 1 :] for i in range(len(whole)) for bit in (1, 0x80)]
    damaged.append(whole + b"1234")
    for content in damaged:
        path.write_bytes(content)
        assert read_filter(path, NO_KEYS) is None
    search = DecisionSearch(tmp_path)
    for content in damaged[:: len(damaged) // 20]:
        path.write_bytes(content)
        assert all(search.find(one) for one in ids(10))
    assert index(tmp_path) == 1
    assert read_filter(path, NO_KEYS).head.ids == 10


def test_a_filter_of_another_segment_or_of_what_it_was_before_hides_no_row(tmp_path):
    write_segments(tmp_path, number=2, rows=10)
    index(tmp_path)
    first, second = segments(tmp_path)
    filter_path(tmp_path, second).write_bytes(filter_path(tmp_path, first).read_bytes())
    assert find(tmp_path, "application 15")
    whole = second.read_bytes()
    index(tmp_path)
    os.truncate(second, 0)
    index(tmp_path)
    second.write_bytes(whole)
    assert find(tmp_path, "application 15")


def test_a_filter_of_an_encrypted_log_tells_nothing_without_the_key(tmp_path):
    write_segments(tmp_path, number=1, rows=10, keys=SECRET)
    index(tmp_path, SECRET)
    (segment,) = segments(tmp_path)
    path = filter_path(tmp_path, segment)
    assert read_filter(path, SECRET).may_hold("application 3")
    assert read_filter(path, NO_KEYS) is None
    assert read_filter(path, LogKeys([b"o" * 32])) is None
    head = msgspec.json.decode(path.read_bytes()[65:].split(b"\n")[0])
    stored = set(read_filter(path, SECRET).fingerprints().tolist())
    guessed = {fingerprint(one, secret) for one in ids(10) for secret in (b"", bytes.fromhex(head["salt"]))}
    assert not stored & guessed
    path.unlink()
    index(tmp_path, SECRET)
    assert stored.isdisjoint(read_filter(path, SECRET).fingerprints().tolist()), "two filters can be compared"


def test_a_filter_without_a_key_hides_no_row_of_an_encrypted_log_and_is_made_again(tmp_path):
    write_segments(tmp_path, number=1, rows=10, keys=SECRET)
    (segment,) = segments(tmp_path)
    salt, key, secret = new_secret(segment.stem, NO_KEYS)
    head = Head(name=segment.stem, covered=segment.stat().st_size, complete=True, ids=0, salt=salt, key=key)
    write_filter(filter_path(tmp_path, segment), head, [], secret)
    assert find(tmp_path, "application 3", keys=SECRET)
    assert index(tmp_path, SECRET) == 1
    assert read_filter(filter_path(tmp_path, segment), SECRET).head.ids == 10


def test_filters_are_readable_by_their_owner_alone(tmp_path):
    write_segments(tmp_path, number=1)
    index(tmp_path)
    (segment,) = segments(tmp_path)
    assert stat.S_IMODE(filter_path(tmp_path, segment).stat().st_mode) == 0o600
    assert stat.S_IMODE(filters_directory(tmp_path).stat().st_mode) == 0o700


def archive_all(directory, keys=NO_KEYS):
    assert catch_up(directory, 3600, 64, keys=keys)
    with exclusive_upkeep(directory):
        assert compact(directory, keys).damaged == 0
    assert not segments(directory)


@pytest.mark.slow
@pytest.mark.parametrize("keys", [NO_KEYS, SECRET], ids=["plain", "encrypted"])
def test_archives_keep_their_filters_and_those_without_get_one_from_the_first_search(tmp_path, keys, monkeypatch):
    if keys:
        monkeypatch.setenv("SCORER_LOG_KEY", base64.b64encode(keys.secrets[0]).decode())
    write_segments(tmp_path, number=2, rows=10, keys=keys)
    index(tmp_path, keys)
    archive_all(tmp_path, keys)
    search = DecisionSearch(tmp_path, keys)
    assert search.find("stranger") is None
    assert search.searched_archives == 0
    assert search.find("application 13").row.applicant["application_id"] == "application 13"
    assert search.searched_archives == 1
    for path in filters_directory(tmp_path).iterdir():
        path.unlink()
    assert search.find("stranger") is None
    assert search.searched_archives == 3
    assert search.find("stranger") is None
    assert search.searched_archives == 3
    assert search.find("application 13").row.applicant["application_id"] == "application 13"


@pytest.mark.slow
def test_an_erased_id_is_in_no_filter(tmp_path):
    write_segments(tmp_path, number=1, rows=10)
    index(tmp_path)
    archive_all(tmp_path)
    write_segments(tmp_path, number=1, rows=10)
    index(tmp_path)
    (segment,), (archived,) = segments(tmp_path), archives(tmp_path)
    assert catch_up(tmp_path, 3600, 64)
    with exclusive_upkeep(tmp_path):
        assert erase(tmp_path, "application 3").rows == 2
    for file in (segment, archived):
        known = read_filter(filter_path(tmp_path, file), NO_KEYS)
        assert known is None or not known.may_hold("application 3")
    assert find(tmp_path, "application 3") is None
    index(tmp_path)
    for file in (segment, archived):
        known = read_filter(filter_path(tmp_path, file), NO_KEYS)
        assert not known.may_hold("application 3")
        assert known.may_hold("application 4")


def test_fingerprints_are_found_wherever_they_lie(tmp_path):
    """Also where they are not spread evenly, which no salt gives but a filter may have."""
    path = tmp_path / "x.ids"
    salt, key, secret = new_secret("x", NO_KEYS)
    names = [str(i) for i in range(3000)]
    wanted = sorted({fingerprint(one, secret) for one in names})
    for chosen in (wanted, wanted[:900], wanted[-900:], wanted[1400:1500], wanted[:1], []):
        head = Head(name="x", covered=1, complete=True, ids=len(chosen), salt=salt, key=key)
        write_filter(path, head, chosen, secret)
        known = read_filter(path, NO_KEYS)
        held = set(chosen)
        assert [known.may_hold(one) for one in names] == [fingerprint(one, secret) in held for one in names]


def test_nothing_is_indexed_while_a_command_changes_the_log(tmp_path):
    write_segments(tmp_path, number=1)
    with exclusive_upkeep(tmp_path):
        assert index(tmp_path) == 0
    assert index(tmp_path) == 1


def test_filters_go_with_what_they_describe(tmp_path):
    write_segments(tmp_path, number=2)
    index(tmp_path)
    assert catch_up(tmp_path, 3600, 64)
    old, new = segments(tmp_path)
    os.utime(old, (0, 0))
    with exclusive_upkeep(tmp_path):
        assert retain(tmp_path, 30).segments == 1
    assert list(filters_directory(tmp_path).iterdir()) == [filter_path(tmp_path, new)]


def test_a_full_disk_costs_the_filters_alone(tmp_path, caplog):
    write_segments(tmp_path, number=1)
    filters_directory(tmp_path).write_bytes(b"")  # where the folder should be
    indexing = IdIndexing(tmp_path)
    assert [indexing.step() for _ in range(3)] == [False] * 3
    assert caplog.text.count("cannot write filters of ids") == 1
    assert find(tmp_path, "application 7")


@pytest.mark.slow
def test_the_process_that_profiles_makes_the_filters(tmp_path):
    write_segments(tmp_path, number=2, rows=10)
    environment = os.environ | {"SCORER_DIRECTORY": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-m", "monitoring", "profile"], cwd=ROOT, env=environment)
    try:
        until(lambda: len(list(filters_directory(tmp_path).glob("*.ids"))) == 2, within_s=60)
    finally:
        process.terminate()
        assert process.wait(60) == 0
    search = DecisionSearch(tmp_path)
    assert search.find("stranger") is None
    assert all(search.find(one) for one in ids(20))
    assert search.decoded_rows == 0
