"""The process that searches the archives: its input, its output and its exit code."""

import base64
import json
import os
import subprocess
import sys

import pytest

from monitoring.profiles.profiler import catch_up
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.id_filter import filter_path
from monitoring.records.log_keys import LogKeys
from monitoring.records.lookup import find
from monitoring.records.segments import archives

SECRET = bytes(range(32))


@pytest.fixture
def archived(tmp_path, rows):
    """Ten rows in one encrypted archive."""
    keys = LogKeys([SECRET])
    log = DecisionLog(tmp_path, 2**26, keys=keys)
    log.append("m:1", rows(10))
    log.close()
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    assert compact(tmp_path, keys).rows == 10
    return tmp_path


def archived_in(directory):
    return [path.relative_to(directory).as_posix() for path in archives(directory)]


def search(directory, application_id, **environment):
    return subprocess.run(
        [sys.executable, "-m", "monitoring.records.archive_search"],
        env={**os.environ, "SCORER_DIRECTORY": str(directory), **environment},
        input=json.dumps({"application_id": application_id, "archives": archived_in(directory)}),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_archived_decision_is_printed_as_json(archived):
    done = search(archived, "application 7", SCORER_LOG_KEY=base64.b64encode(SECRET).decode())
    assert (done.returncode, done.stderr) == (0, "")
    _, model, row = json.loads(done.stdout)
    assert (model, row["decision"], row["applicant"]["application_id"]) == ("m:1", "approve", "application 7")


def test_an_unknown_id_and_a_directory_without_archives_give_null(archived, tmp_path):
    assert search(archived, "application 70", SCORER_LOG_KEY=base64.b64encode(SECRET).decode()).stdout == "null"
    assert search(tmp_path / "nothing", "application 7").stdout == "null"


def test_a_missing_key_is_reported_in_one_line(archived):
    done = search(archived, "application 7")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "is encrypted with a key that is not in SCORER_LOG_KEY" in done.stderr


def test_a_filter_that_cannot_be_written_fails_no_search(archived):
    (archived / "ids").mkdir(exist_ok=True)
    [path] = archives(archived)
    filter_path(archived, path).unlink(missing_ok=True)
    next_one = filter_path(archived, path)
    next_one.with_name(f"{next_one.name}.next").symlink_to("/dev/full")
    done = search(archived, "application 7", SCORER_LOG_KEY=base64.b64encode(SECRET).decode())
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[2]["applicant"]["application_id"] == "application 7"
    assert not next_one.exists()


def test_a_search_that_fails_says_why(archived, monkeypatch):
    monkeypatch.delenv("SCORER_LOG_KEY", raising=False)
    with pytest.raises(OSError, match=r"archive: cannot be searched: .*not in SCORER_LOG_KEY"):
        find(archived, "application 7")
