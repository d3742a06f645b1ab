"""The line of a batch: who asked, what erasure removes, and lines of an earlier version."""

import itertools
from datetime import UTC, datetime

import msgspec
import pytest

from monitoring.profiles.profiler import catch_up
from monitoring.records.commitments import take_apart
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.erasure import erase
from monitoring.records.id_indexing import IdIndexing
from monitoring.records.line_encoding import encode_batch, encode_line
from monitoring.records.lines import Batch, Row, decode_batch, framed
from monitoring.records.log_keys import LogKeys
from monitoring.records.lookup import find
from monitoring.records.proof.verification import verify
from monitoring.records.segments import read, segments
from monitoring.records.upkeep import exclusive_upkeep

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def earlier_line(sequence, fields, rows):
    """A line as the version before wrote it: rows of protocol, probability, decision and values."""
    batch = {"sequence": sequence, "time": NOON, "model": "m:1", "fields": fields, "rows": rows}
    return framed(msgspec.json.encode(batch))


def test_a_row_says_who_asked_and_in_which_request(tmp_path, log, rows):
    [row] = rows(1)
    log.append("m:1", [msgspec.structs.replace(row, caller="a key", request_id="r-1")])
    [(batch, _)] = read(segments(tmp_path)[0])
    assert (batch.rows[0].caller, batch.rows[0].request_id) == ("a key", "r-1")


def test_a_line_of_the_version_before_reads_back(tmp_path):
    folder = tmp_path / "decisions"
    folder.mkdir()
    rows = [["http", 0.5, "approve", [3, "x"]], ["v2", None, "decline", []]]
    (folder / "x.log").write_bytes(earlier_line(0, ["age", "application_id"], rows))
    [(batch, _)] = read(folder / "x.log")
    assert batch.rows == [
        Row("http", 0.5, "approve", {"age": 3, "application_id": "x"}),
        Row("v2", None, "decline", {}),
    ]


def test_each_line_carries_the_hash_of_the_line_before(tmp_path, rows):
    log = DecisionLog(tmp_path, 2**26)
    for number in (3, 1, 2):
        log.append("m:1", rows(number))
    log.close()
    payloads = [line[9:] for line in segments(tmp_path)[0].read_bytes().splitlines() if b"decided" in line]
    for before, after in itertools.pairwise(payloads):
        assert decode_batch(after).previous == take_apart(before).hash().hex()


def test_a_line_without_an_applicant_has_the_hash_of_the_whole_one(rows):
    payload, own_hash = encode_batch(Batch(0, NOON, "m:1", rows(3)), "0" * 64)
    whole = take_apart(payload)
    assert (whole.joined(), whole.hash().hex()) == (payload, own_hash)
    some = whole.without([1])
    assert some.hash() == whole.hash()
    assert b"application 1" not in some.joined()
    assert len(some.joined()) < len(payload)
    none = some.without([0, 1, 2])
    assert none.hash() == whole.hash()
    assert decode_batch(none.joined()).fields == []
    assert [row.applicant for row in decode_batch(none.joined()).to_batch().rows] == [{}] * 3


def test_equal_rows_have_different_commitments(rows):
    line = encode_line(Batch(0, NOON, "m:1", rows(1) * 64)).content
    salts = [row.salt for row in decode_batch(line[9:]).rows]
    assert len(set(salts)) == 64
    assert {len(salt) for salt in salts} == {44}


def damaged(line, how):
    """A line with a right checksum whose JSON cannot be decoded."""
    payload = line[9:-1]
    if how == "decided":
        return framed(payload.replace(b"approve", b"appr\xffve", 1))
    if how == "values":
        return framed(payload.replace(b"application 0", b"application 0\xff", 1))
    if how == "nested":
        return framed(payload.replace(b'"car"', b"[" * 10_000 + b"]" * 10_000, 1))
    return framed(payload[:-1] + b',"more":"\xff"}')


@pytest.mark.parametrize("how", ["decided", "values", "nested", "more"])
def test_a_line_with_a_right_checksum_that_is_no_json_is_damage_to_every_reader(tmp_path, rows, how):
    for first in (0, 10):
        log = DecisionLog(tmp_path, 2**26)
        log.append("m:1", rows(2, first))
        log.append("m:1", rows(2, first + 2))
        log.close()
    segment = segments(tmp_path)[0]
    head, line, *others = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join((head, damaged(line, how), *others)))
    assert sum(len(batch.rows) for batch, _ in read(segment)) == (4 if how == "more" else 2)
    assert find(tmp_path, "application 3").row.applicant["age_years"] == 21
    assert find(tmp_path, "application 11") is not None
    assert [(one.segment, one.line) for one in verify(tmp_path, LogKeys()).broken][:1] == [(segment.name, 2)]
    assert catch_up(tmp_path, 3600, 64)
    while IdIndexing(tmp_path).step():
        pass
    with exclusive_upkeep(tmp_path):
        done = compact(tmp_path)
        assert (done.segments, done.rows) == ((1, 4) if how == "more" else (2, 6))
        assert erase(tmp_path, "application 0").rows == (1 if how == "more" else 0)
