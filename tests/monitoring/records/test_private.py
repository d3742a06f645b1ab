"""Nobody but the user of the service can read the records, whatever the umask, and those of earlier versions."""

import logging
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from configs.dataset import Audit
from monitoring.profiles.profiler import catch_up
from monitoring.records.audits import write_audits
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.erasure import erase
from monitoring.records.private import make_folder, tighten
from monitoring.records.upkeep import exclusive_upkeep

NOBODY = 65534


@pytest.fixture
def records(tmp_path, rows):
    """Every kind of record, made where everybody may read what is made."""
    before = os.umask(0)
    try:
        directory = tmp_path / "made/var"
        for number in range(2):
            log = DecisionLog(directory, 2**26)
            log.append("m:1", rows(10))
            write_audits(directory, "m:1", (Audit(column="age_years", edges=(25,)),))
            log.close()
            assert catch_up(directory, 3600, 64, least_window_rows=15)
            if number == 0:
                with exclusive_upkeep(directory):
                    compact(directory)
        with exclusive_upkeep(directory):
            erase(directory, "application 3")
    finally:
        os.umask(before)
    return directory


def open_to_others(directory):
    return [path for path in (directory, *directory.rglob("*")) if path.stat().st_mode & 0o077]


def test_every_record_and_every_folder_is_private(records):
    names = {path.name for path in records.iterdir()}
    assert names >= {"decisions", "archive", "profiles", "audits", "erasures.log", "upkeep.lock"}
    assert list(records.rglob("*.parquet"))
    assert list(records.rglob("*.bin"))
    assert open_to_others(records.parent) == []


def test_what_an_earlier_version_left_open_is_closed_and_said(records, caplog):
    for path in records.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    foreign = records / "mlflow.db"
    foreign.touch()
    foreign.chmod(0o644)
    records.chmod(0o755)
    with caplog.at_level(logging.WARNING):
        assert tighten(records) == []
    assert open_to_others(records) == [records, foreign], "what is not ours keeps its mode"
    assert caplog.text.count("others could read") == 1
    caplog.clear()
    assert tighten(records) == []
    assert caplog.text == ""


def test_a_link_is_not_followed(records, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    outside.chmod(0o755)
    (records / "profiles/link").symlink_to(outside)
    shutil.rmtree(records / "audits")
    (records / "audits").symlink_to(outside)
    assert tighten(records) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: records of another user; only root can make some")
def test_what_belongs_to_another_user_is_named(fork, rows):
    with tempfile.TemporaryDirectory() as name:  # which others can reach, unlike pytest's
        _name_what_belongs_to_another_user(Path(name), fork, rows)


def _name_what_belongs_to_another_user(home, fork, rows):
    directory = home / "var"
    log = DecisionLog(directory, 2**26)
    log.append("m:1", rows(1))
    log.close()
    (directory / "decisions").chmod(0o755)
    for path in (home, directory):
        path.chmod(0o755)
    said = home / "said"

    def start():
        logging.basicConfig(filename=said, format="%(message)s", force=True)
        os.seteuid(NOBODY)
        tighten(directory)

    said.touch()
    os.waitpid(fork(start), 0)
    assert said.read_text() == (
        f"others can read {directory}/decisions, and 0 more of the records, which user {NOBODY} may not change; "
        "use chmod or chown\n"
    )


def test_a_folder_is_made_with_private_parents_and_leaves_those_that_were_there(tmp_path):
    tmp_path.chmod(0o755)
    for _ in range(2):
        make_folder(tmp_path / "a/b/c")
        assert [path.stat().st_mode & 0o777 for path in (tmp_path, *sorted(tmp_path.rglob("*")))] == [0o755] + [
            0o700
        ] * 3
    (tmp_path / "a/b").chmod(0o777)
    make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700
