"""Archives: DuckDB and pandas read what was logged, and no count changes."""

import base64
import os
import re
import stat
import time
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet.encryption import create_decryption_properties

from monitoring.profiles.profiler import catch_up
from monitoring.records import archive
from monitoring.records.cipher import KeyMissing
from monitoring.records.compaction import Compaction, compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archive_path, archives, read, segments
from monitoring.status import Status, count
from tests.conftest import struct_of

SECRET = bytes(range(32))
KEYS = LogKeys([SECRET])


def log_and_close(directory, batches, segment_bytes=2**26, keys=NO_KEYS):
    log = DecisionLog(directory, segment_bytes, keys=keys)
    for batch in batches:
        log.append("m:1", batch)
    log.close()
    assert catch_up(directory, 3600, 64, keys=keys)


def test_archives_hold_each_row_once_and_counts_stay(tmp_path, rows, profile_totals):
    log_and_close(tmp_path, [rows(5, first) for first in range(0, 100, 5)], segment_bytes=2_000)
    before, profiled = count(tmp_path), profile_totals(tmp_path)
    number = len(segments(tmp_path))
    logged = {(path.name, i): batch for path in segments(tmp_path) for i, (batch, _) in enumerate(read(path))}
    assert compact(tmp_path) == Compaction(segments=number, rows=100)
    assert segments(tmp_path) == []
    assert count(tmp_path) == before == Status(100, 100, 100, 0)
    assert profile_totals(tmp_path) == profiled
    assert compact(tmp_path) == Compaction()

    ids = duckdb.sql(f"select application_id from '{tmp_path}/archive/*/*.parquet' where age_years = 20").fetchall()
    assert sorted(ids) == [("application 2",), ("application 62",)]
    frame = pd.concat(map(pd.read_parquet, archives(tmp_path)), ignore_index=True)
    assert sorted(frame["application_id"]) == sorted(f"application {i}" for i in range(100))
    assert list(frame.columns)[:6] == ["time", "model", "protocol", "application_id", "probability", "decision"]
    row = frame[frame["application_id"] == "application 14"].iloc[0]
    assert (row["age_years"], row["purpose"], row["savings"], row["probability"]) == (32.0, "教育", "tier 2", 0.14)
    assert (row["model"], row["decision"], row["protocol"]) == ("m:1", "approve", "http")
    assert frame["age_years"].dtype == "float64"
    assert frame["savings"].isna().sum() == 34  # every third one is null
    assert frame["sex"].isna().sum() == 50  # every second one is absent
    assert set(frame["segment"]) == {name for name, _ in logged}
    for _, part in frame.groupby("segment"):
        assert sorted(part["sequence"]) == list(range(len(part)))
    assert set(frame["time"]) == {pd.Timestamp(batch.time) for batch in logged.values()}


def test_open_and_unprofiled_segments_are_skipped(tmp_path, rows):
    log_and_close(tmp_path, [rows(5)])
    log = DecisionLog(tmp_path, 2**26)
    log.append("m:1", rows(5))
    late = DecisionLog(tmp_path, 2**26)
    late.append("m:1", rows(5))
    late.close()
    assert compact(tmp_path) == Compaction(segments=1, rows=5, still_open=1, pending=1)
    log.append("m:1", rows(5))
    log.close()
    assert catch_up(tmp_path, 3600, 64)
    assert compact(tmp_path) == Compaction(segments=2, rows=15)
    assert count(tmp_path) == Status(20, 20, 20, 0)


def test_column_types_follow_the_values(tmp_path):
    applicants = [
        {"application_id": "a", "amount": 3, "mixed": 1, "note": None, "model": "t", "flag": True},
        {"application_id": "b", "amount": 2.5, "mixed": "x", "note": None, "model": "u", "flag": False},
    ]
    log_and_close(tmp_path, [[Row("v2", None, "approve", struct_of(applicant))] for applicant in applicants])
    compact(tmp_path)
    table = pq.ParquetFile(archives(tmp_path)[0]).read()
    kinds = {field.name: field.type for field in table.schema}
    assert kinds["amount"] == pa.float64()
    assert kinds["mixed"] == kinds["flag"] == kinds["applicant.model"] == pa.string()
    assert "note" not in kinds  # no value, so no type
    assert table.column("mixed").to_pylist() == ["1", "x"]
    assert table.column("flag").to_pylist() == ["true", "false"]
    assert table.column("model").to_pylist() == ["m:1", "m:1"]
    assert table.column("probability").to_pylist() == [None, None]


def test_archives_with_different_columns_can_be_read_together(tmp_path, rows):
    log_and_close(tmp_path, [[Row("v2", 0.5, "approve", struct_of({"application_id": "a", "other": 1}))]])
    log_and_close(tmp_path, [rows(3)])
    compact(tmp_path)
    table = f"read_parquet('{tmp_path}/archive/*/*.parquet', union_by_name = true)"
    assert duckdb.sql(f"select count(*), count(other), count(purpose) from {table}").fetchall() == [(4, 1, 3)]
    frame = pd.concat(map(pd.read_parquet, archives(tmp_path)))
    assert (len(frame), frame["other"].count(), frame["purpose"].count()) == (4, 1, 3)


def test_memory_is_bounded_by_row_groups(tmp_path, rows, monkeypatch):
    monkeypatch.setattr(archive, "ROW_GROUP_ROWS", 30)
    log_and_close(tmp_path, [rows(25, first) for first in range(0, 100, 25)])
    compact(tmp_path)
    [path] = archives(tmp_path)
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [50, 50]
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_an_archive_is_private_and_dated_as_its_newest_row(tmp_path, rows):
    log_and_close(tmp_path, [rows(3), rows(2)])
    [segment] = segments(tmp_path)
    newest = [batch.time for batch, _ in read(segment)][-1]
    compact(tmp_path)
    [path] = archives(tmp_path)
    assert path == archive_path(tmp_path, segment)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert path.stat().st_mtime == pytest.approx(newest.timestamp(), abs=1e-3)


def test_a_segment_damaged_after_profiling_is_kept(tmp_path, rows):
    log_and_close(tmp_path, [rows(3), rows(2)])
    [segment] = segments(tmp_path)
    content = bytearray(segment.read_bytes())
    content[content.index(b"decided")] ^= 1
    segment.write_bytes(content)
    assert compact(tmp_path) == Compaction(damaged=1)
    assert segments(tmp_path) == [segment]
    assert list((tmp_path / "archive").glob("*/*")) == []


def test_damage_from_before_profiling_stays_visible(tmp_path, rows):
    log = DecisionLog(tmp_path, 2**26)
    for first in (0, 10, 20):
        log.append("m:1", rows(10, first))
    log.close()
    [segment] = segments(tmp_path)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content + b"01234567 {torn")
    assert catch_up(tmp_path, 3600, 64)
    assert compact(tmp_path) == Compaction(segments=1, rows=20)
    assert count(tmp_path) == Status(30, 20, 20, 0)
    assert pd.read_parquet(archives(tmp_path)[0])["sequence"].tolist() == [*range(10), *range(20, 30)]


def test_duckdb_and_pandas_open_the_archives_of_an_encrypted_log(tmp_path, rows):
    log_and_close(tmp_path, [rows(10)], keys=KEYS)
    with pytest.raises(KeyMissing):
        compact(tmp_path)
    assert compact(tmp_path, KEYS) == Compaction(segments=1, rows=10)
    [path] = archives(tmp_path)
    assert b"application" not in path.read_bytes()
    frame = pd.read_parquet(path, decryption_properties=create_decryption_properties(SECRET))
    assert frame["application_id"][3] == "application 3"
    with duckdb.connect() as connection:
        connection.execute(f"pragma add_parquet_key('log', '{base64.b64encode(SECRET).decode()}')")
        files = f"'{tmp_path}/archive/*/*.parquet'"
        asked = f"select max(age_years) from read_parquet({files}, encryption_config = {{footer_key: 'log'}})"
        assert connection.sql(asked).fetchall() == [(27.0,)]
    with pytest.raises(OSError, match="encrypted"):
        pd.read_parquet(path)


def test_archives_are_plain_on_request(tmp_path, rows):
    log_and_close(tmp_path, [rows(10)], keys=KEYS)
    assert compact(tmp_path, KEYS, plain=True) == Compaction(segments=1, rows=10)
    assert len(pd.read_parquet(archives(tmp_path)[0])) == 10


def test_a_restored_segment_is_archived_again_and_counts_once(tmp_path, rows):
    log_and_close(tmp_path, [rows(10)])
    [segment] = segments(tmp_path)
    content = segment.read_bytes()
    compact(tmp_path)
    segment.write_bytes(content)
    assert count(tmp_path) == Status(10, 10, 10, 0)
    assert compact(tmp_path) == Compaction(segments=1, rows=10)
    assert len(archives(tmp_path)) == 1
    assert count(tmp_path) == Status(10, 10, 10, 0)


def test_rows_are_logged_and_counted_while_segments_are_archived(tmp_path, rows, fork, follow):
    def write():
        log = DecisionLog(tmp_path, segment_bytes=20_000)
        for number in range(300):
            log.append("m:1", rows(5, 5 * number))
            time.sleep(0.002)  # long enough for several commits and compactions
        log.close()

    children = [fork(write), fork(follow)]
    archived = 0
    while archived < 1_500:
        archived += compact(tmp_path).rows
        now = count(tmp_path)
        assert now.served == now.logged == now.profiled + now.pending
    os.kill(children[1], 15)
    for child in children:
        os.waitpid(child, 0)
    assert count(tmp_path) == Status(1_500, 1_500, 1_500, 0)
    found = pd.concat(map(pd.read_parquet, archives(tmp_path)))["application_id"]
    assert sorted(found) == sorted(f"application {i}" for i in range(1_500))


def test_the_examples_of_the_documentation_work(tmp_path, rows, monkeypatch, capsys):
    page = (Path(__file__).parents[3] / "docs/records.md").read_text(encoding="utf-8")
    with_duckdb, with_pandas, encrypted = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    log_and_close(tmp_path / "var", [rows(10)])
    compact(tmp_path / "var")
    exec(with_duckdb, {})
    assert "m:1" in capsys.readouterr().out
    known = {}
    exec(with_pandas, known)
    assert len(known["rows"]) == 10
    for path in archives(tmp_path / "var"):
        path.unlink()
    log_and_close(tmp_path / "var", [rows(7)], keys=KEYS)
    compact(tmp_path / "var", KEYS)
    monkeypatch.setenv("SCORER_LOG_KEY", base64.b64encode(SECRET).decode())
    exec(encrypted, known)
    assert "7" in capsys.readouterr().out
    assert len(known["rows"]) == 7
