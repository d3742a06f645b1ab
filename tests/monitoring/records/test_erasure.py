"""Erasing an applicant: id and values are removed everywhere, even while a service writes, and all counts stay."""

import os
import signal
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet.encryption import create_decryption_properties

from monitoring.profiles.profiler import catch_up
from monitoring.records import erasure
from monitoring.records.cipher import KeyMissing
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.erasure import Erasure, erase
from monitoring.records.erasure_journal import journal_path, read_records
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, read, segments
from monitoring.status import Status, count
from tests.conftest import ROOT, struct_of
from tests.forks import SERVICE

SECRET = bytes(range(32))
FORMS = pytest.mark.parametrize("keys", [NO_KEYS, LogKeys([SECRET])], ids=["plain", "encrypted"])


def everything(directory):
    """Return the content of every file under `directory`."""
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def named(directory, keys=NO_KEYS):
    """Return every `application_id` in segments and archives, in order."""
    logged = [row for path in segments(directory) for batch, _ in read(path, keys=keys) for row in batch.rows]
    found = [row.applicant.get("application_id") for row in logged]
    for path in archives(directory):
        decryption = create_decryption_properties(keys.secrets[0]) if keys else None
        found += pq.ParquetFile(path, decryption_properties=decryption).read(["application_id"]).column(0).to_pylist()
    return found


@FORMS
def test_erasing_clears_closed_open_and_archived_rows_of_that_applicant_only(tmp_path, rows, profile_totals, keys):
    def log_of(*firsts):
        log = DecisionLog(tmp_path, 2**26, keys=keys)
        for first in firsts:
            log.append("m:1", rows(10, first))
        return log

    log_of(0, 10).close()
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    compact(tmp_path, keys)
    log_of(0, 20).close()
    writing = log_of(30, 0)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    before, profiled, sizes = (
        count(tmp_path),
        profile_totals(tmp_path, keys),
        [path.stat().st_size for path in segments(tmp_path)],
    )
    ages = [path.stat().st_mtime for path in [*segments(tmp_path), *archives(tmp_path)]]

    assert erase(tmp_path, "application 7", keys) == Erasure(rows=3, pending=0)
    assert erase(tmp_path, "application 7", keys) == Erasure(rows=0, pending=0)
    writing.append("m:1", rows(5, 40))
    assert len(segments(tmp_path)) == 2, "the writer has left its segment"
    assert catch_up(tmp_path, 3600, 64, keys=keys)

    assert count(tmp_path, keys) == Status(
        *(number + 5 for number in (before.served, before.logged, before.profiled)), 0
    )
    assert sizes == [segments(tmp_path)[0].stat().st_size, sizes[1]]
    assert ages[0] == segments(tmp_path)[0].stat().st_mtime
    assert ages[2] == archives(tmp_path)[0].stat().st_mtime
    assert profile_totals(tmp_path, keys)["purpose"]["rows"] == profiled["purpose"]["rows"] + 5
    found = named(tmp_path, keys)
    assert found.count(None) == 3
    everybody = [f"application {i}" for first in (0, 20, 30, 0, 0, 10) for i in range(first, first + 10)]
    everybody += [f"application {i}" for i in range(40, 45)]
    assert sorted(filter(None, found)) == sorted(name for name in everybody if name != "application 7")
    if not keys:
        assert b'"application 7"' not in everything(tmp_path)
    assert compact(tmp_path, keys).segments == 1
    writing.close()


def test_erasing_removes_only_the_personal_data_of_a_row(tmp_path, rows):
    log = DecisionLog(tmp_path, 2**26)
    log.append("m:1", rows(3))
    [segment] = segments(tmp_path)
    [(before, _)] = read(segment)
    assert catch_up(tmp_path, 3600, 64)
    erase(tmp_path, "application 1")
    [(after, _)] = read(segment)
    assert (after.sequence, after.time, after.model) == (before.sequence, before.time, before.model)
    assert after.rows[0] == before.rows[0]
    assert after.rows[2] == before.rows[2]
    gone = after.rows[1]
    assert (gone.protocol, gone.probability, gone.decision) == ("http", 0.01, "approve")
    assert gone.applicant == {}
    log.close()
    compact(tmp_path)
    frame = pd.read_parquet(archives(tmp_path)[0])
    assert "sex" not in frame.columns  # only the erased row had a value
    assert frame.loc[1, ["application_id", "age_years", "purpose", "savings"]].isna().all()
    assert frame.loc[1, "decision"] == "approve"


@FORMS
def test_erasing_a_whole_batch_removes_its_field_names(tmp_path, keys):
    log = DecisionLog(tmp_path, 2**26, keys=keys)
    pregnant = struct_of({"application_id": "a", "maternity_leave": 3})
    log.append("m:1", [Row("http", 0.5, "approve", pregnant)])
    log.close()
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    assert erase(tmp_path, "a", keys).rows == 1
    [segment] = segments(tmp_path)
    payload = keys.lines(segment).payload(segment.read_bytes().splitlines(keepends=True)[1])
    assert payload is not None
    assert b"maternity" not in payload


@pytest.mark.parametrize("identifier", ['quo"te', "back\\slash", "ünï", "x", "application 1", " ", "{", "a,b"])
def test_erasing_matches_the_whole_id(tmp_path, identifier):
    log = DecisionLog(tmp_path, 2**26)
    others = [f"{identifier}0", f"0{identifier}", identifier * 2]
    ids = [identifier, *others]
    log.append(
        "m:1", [Row("http", 0.5, "approve", struct_of({"note": identifier, "application_id": name})) for name in ids]
    )
    log.close()
    assert catch_up(tmp_path, 3600, 64)
    assert erase(tmp_path, identifier).rows == 1
    assert named(tmp_path) == [None, *others]
    compact(tmp_path)
    assert erase(tmp_path, others[0]).rows == 1
    assert erase(tmp_path, others[0]).rows == 0


def test_unprofiled_rows_are_reported_and_not_erased(tmp_path, log, rows):
    log.append("m:1", rows(5))
    assert catch_up(tmp_path, 3600, 64)
    log.append("m:1", rows(5))
    assert erase(tmp_path, "application 1") == Erasure(rows=1, pending=1)
    assert catch_up(tmp_path, 3600, 64)
    assert erase(tmp_path, "application 1") == Erasure(rows=1, pending=0)


def test_an_id_in_a_damaged_or_torn_line_is_blanked(tmp_path, rows):
    log = DecisionLog(tmp_path, 2**26)
    for first in (0, 10, 20):
        log.append("m:1", rows(10, first))
    log.close()
    [segment] = segments(tmp_path)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(bytes(content) + b'01234567 {"rows":[{"application_id":"application 15"')
    assert catch_up(tmp_path, 3600, 64)
    before = count(tmp_path)
    assert erase(tmp_path, "application 15") == Erasure(rows=0, pending=0)
    assert b"application 15" not in everything(tmp_path)
    assert segment.stat().st_size == len(content) + 52
    assert count(tmp_path) == before == Status(30, 20, 20, 0)


def test_the_record_of_an_erasure_does_not_hold_the_id(tmp_path, log, rows):
    log.append("m:1", [*rows(5), *rows(5)])
    assert catch_up(tmp_path, 3600, 64)
    erase(tmp_path, "application 3")
    erase(tmp_path, "nobody")
    [record] = read_records(tmp_path)
    assert record.rows == 2
    assert record.matches("application 3")
    assert not record.matches("application 4")
    assert b"application 3" not in everything(tmp_path)
    erase(tmp_path, "application 4")
    assert [record.rows for record in read_records(tmp_path)] == [2, 2]
    assert read_records(tmp_path)[0].salt != read_records(tmp_path)[1].salt
    assert (tmp_path / "erasures.log").stat().st_mode & 0o777 == 0o600


def test_profiles_hold_no_ids(tmp_path, log, rows):
    log.append("m:1", rows(50))
    assert catch_up(tmp_path, 3600, 64)
    assert b"application" not in everything(tmp_path / "profiles")


def test_without_the_key_nothing_is_erased(tmp_path, rows):
    for keys in (NO_KEYS, LogKeys([SECRET])):
        log = DecisionLog(tmp_path, 2**26, keys=keys)
        log.append("m:1", rows(5))
        log.close()
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    with pytest.raises(KeyMissing):
        erase(tmp_path, "application 1")
    assert named(tmp_path, keys).count("application 1") == 2


def test_an_id_with_many_rows_is_erased_in_parts(tmp_path, log, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_EDIT_BYTES", 1_000)
    for _ in range(30):
        log.append(
            "m:1", [Row("http", 0.5, "approve", struct_of({"application_id": "the same", "purpose": "car"}))] * 3
        )
    assert catch_up(tmp_path, 3600, 64)
    assert erase(tmp_path, "the same") == Erasure(rows=90, pending=0)
    assert named(tmp_path) == [None] * 90
    assert sum(record.rows for record in read_records(tmp_path)) == 90
    assert not journal_path(tmp_path).exists()


@pytest.mark.slow
@FORMS
def test_applicants_are_erased_while_a_service_writes_and_a_profiler_reads(tmp_path, rows, fork, follow, keys):
    def write():
        log = DecisionLog(tmp_path, 2**26, keys=keys)
        for number in range(400):
            log.append("m:1", rows(3, 3 * number))
            time.sleep(0.001)
        os._exit(0)

    if keys:
        follow = None
    children = [fork(write)] + ([fork(follow)] if follow else [])
    erased = 0
    names = iter(range(0, 1_200, 60))
    name = next(names)
    while name is not None:
        if not follow:
            catch_up(tmp_path, 3600, 64, keys=keys)
        done = erase(tmp_path, f"application {name}", keys)
        if done.rows:
            erased += done.rows
            name = next(names, None)
    os.waitpid(children[0], 0)
    if follow:
        os.kill(children[1], signal.SIGTERM)
        os.waitpid(children[1], 0)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    assert count(tmp_path, keys) == Status(1_200, 1_200, 1_200, 0)
    assert len(segments(tmp_path)) == 1
    found = named(tmp_path, keys)
    assert found == [None if i % 60 == 0 else f"application {i}" for i in range(1_200)]
    assert erased == 20


def command(directory, *arguments, said=""):
    return SERVICE.run("monitoring", arguments, ROOT, os.environ | {"SCORER_DIRECTORY": str(directory)}, said)


@pytest.mark.slow
def test_the_erase_command_profiles_first_and_prints_the_number_of_rows(tmp_path, log, rows):
    log.append("m:1", [*rows(5), *rows(2)])
    done = command(tmp_path, "erase", "-", said="application 1\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "erased 2 rows\n", "")
    done = command(tmp_path, "erase", "application 1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "erased 0 rows\n", "")
    assert count(tmp_path) == Status(7, 7, 7, 0)


@pytest.mark.slow
def test_upkeep_commands_print_what_they_did(tmp_path, log, rows):
    assert command(tmp_path / "nothing", "erase", "x").stdout == "erased 0 rows\n"
    assert command(tmp_path / "nothing", "compact").stdout == "nothing has been logged yet\n"
    assert not (tmp_path / "nothing").exists()
    log.append("m:1", rows(5))
    assert command(tmp_path, "compact").stdout == (
        f"archived 0 rows from 0 segments, plain, in {tmp_path}/archive\nskipped 1 segment: still being written\n"
    )
    log.close()
    assert "skipped 1 segment: not profiled yet; run `catch-up` first\n" in command(tmp_path, "compact").stdout
    assert catch_up(tmp_path, 3600, 64)
    assert command(tmp_path, "compact").stdout == f"archived 5 rows from 1 segment, plain, in {tmp_path}/archive\n"
    assert command(tmp_path, "retain").stdout == "nothing deleted: retention_days is 0\n"
