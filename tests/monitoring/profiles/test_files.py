"""Profiles on disk: private, encrypted where the log has a key, and ordinary whylogs binaries when exported."""

import base64
import os

import pytest

from monitoring.profiles.files import HELD, all_files, profile_files, read_view, sealed
from monitoring.profiles.profiler import Profiler, catch_up
from monitoring.profiles.whylogs_compat import DatasetProfileView
from monitoring.profiles.windows import rows_of
from monitoring.records.checkpoint import CheckpointError
from monitoring.records.cipher import KeyMissing
from monitoring.records.decision_log import DecisionLog
from monitoring.records.file_cipher import file_key_id
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.status import Status, count
from tests.conftest import ROOT
from tests.forks import SERVICE

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def logged(directory, rows, keys, number=10, first=0, model="m:1"):
    log = DecisionLog(directory, 2**26, keys=keys)
    log.append(model, rows(number, first))
    log.close()


def test_a_profile_without_a_key_is_an_ordinary_whylogs_binary(tmp_path, log, rows):
    log.append("m:1", rows(10))
    assert catch_up(tmp_path, 3600, 64)
    [path] = profile_files(tmp_path)
    assert rows_of(DatasetProfileView.read(str(path))) == 10


def test_with_a_key_no_value_can_be_read_in_any_file_but_by_the_key(tmp_path, rows, profile_totals, log_totals):
    keys = LogKeys([OLD])
    for model, least in (("m:1", 1), ("m:2", 100)):
        logged(tmp_path, rows, keys, model=model)
        assert catch_up(tmp_path, 3600, 64, keys=keys, least_window_rows=least)
    assert {path.name == HELD for path in all_files(tmp_path)} == {True, False}
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert "möbel".encode() not in path.read_bytes(), path
    for path in all_files(tmp_path):
        with pytest.raises(KeyMissing):
            read_view(path)
        assert rows_of(read_view(path, keys)) == 10
    assert profile_totals(tmp_path, keys)["purpose"]["rows"] == 20


def test_a_profile_in_the_place_of_another_or_changed_is_damaged(tmp_path, rows):
    keys = LogKeys([OLD])
    for model in ("m:1", "m:2"):
        logged(tmp_path, rows, keys, model=model)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    one, other = profile_files(tmp_path)
    content = one.read_bytes()
    for bad in (other.read_bytes(), content[:-1], content[:25], content[:-1] + bytes([content[-1] ^ 1])):
        one.write_bytes(bad)
        with pytest.raises(CheckpointError, match=r"was changed, or is another file's; move \S+/profiles away"):
            read_view(one, keys)
    logged(tmp_path, rows, keys)
    with pytest.raises(CheckpointError):
        catch_up(tmp_path, 3600, 64, keys=keys)


def test_a_new_key_encrypts_the_old_profiles_too_and_then_the_old_key_may_go(tmp_path, rows, profile_totals):
    logged(tmp_path, rows, NO_KEYS)
    assert catch_up(tmp_path, 3600, 64)
    for number, keys in enumerate((LogKeys([OLD]), LogKeys([NEW, OLD])), 1):
        logged(tmp_path, rows, keys, first=10 * number)
        assert catch_up(tmp_path, 3600, 64, keys=keys)
    assert profile_totals(tmp_path, LogKeys([NEW]))["purpose"]["rows"] == 30
    logged(tmp_path, rows, LogKeys([NEW]), model="m:2")
    with pytest.raises(KeyMissing):  # of the log of the old key, if it were read again
        read_view(profile_files(tmp_path)[0], LogKeys([OLD]))
    Profiler(tmp_path, 3600, 64, LogKeys([NEW])).advance()
    assert count(tmp_path) == Status(40, 40, 40, 0)


def test_a_kill_while_the_first_start_with_a_key_encrypts_leaves_the_rest_to_the_next(tmp_path, rows, profile_totals):
    keys = LogKeys([OLD])
    for model in ("m:1", "m:2"):
        logged(tmp_path, rows, NO_KEYS, model=model)
    assert catch_up(tmp_path, 3600, 64)
    done, waiting = profile_files(tmp_path)
    done.write_bytes(sealed(done, done.read_bytes(), keys))
    assert [rows_of(read_view(path, keys)) for path in (done, waiting)] == [10, 10]
    logged(tmp_path, rows, keys, first=10)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    assert all(file_key_id(path.read_bytes()) for path in profile_files(tmp_path))
    assert profile_totals(tmp_path, keys)["purpose"]["rows"] == 30


@pytest.mark.parametrize("name", [HELD, None], ids=["held", "profile"])
@pytest.mark.parametrize("replaces", [True, False], ids=["in the place of one", "beside others"])
def test_a_plain_file_among_encrypted_profiles_is_never_read(tmp_path, rows, caplog, name, replaces):
    keys, other, records = LogKeys([OLD]), tmp_path / "other", tmp_path / "var"
    least = 100 if name else 1
    logged(other, rows, NO_KEYS, number=7)
    assert catch_up(other, 2**40, 64, least_window_rows=least)
    [made] = all_files(other)
    logged(records, rows, keys, model="m:1" if replaces else "m:2")
    assert catch_up(records, 2**40, 64, keys=keys, least_window_rows=least)
    planted = records / made.relative_to(other)
    assert planted.exists() == replaces
    planted.parent.mkdir(exist_ok=True)
    planted.write_bytes(made.read_bytes())

    Profiler(records, 2**40, 64, keys, least_window_rows=least)
    assert f"{planted}: is plain where all profiles are encrypted, so it is not read" in caplog.text
    logged(records, rows, keys, model="m:1")
    with pytest.raises(CheckpointError, match="is plain where all profiles are encrypted"):
        catch_up(records, 2**40, 64, keys=keys, least_window_rows=least)
    with pytest.raises(CheckpointError, match="is plain where all profiles are encrypted"):
        read_view(planted, keys)
    assert planted.read_bytes() == made.read_bytes(), "it was merged"
    assert count(records, keys) == Status(20, 20, 10, 10)
    planted.unlink()
    assert catch_up(records, 2**40, 64, keys=keys, least_window_rows=least)
    assert rows_of(read_view(planted, keys)) == 10


def test_what_was_profiled_while_there_was_no_key_is_encrypted_when_there_is_one_again(tmp_path, rows, profile_totals):
    keys = LogKeys([OLD])
    for number, (which, model) in enumerate([(keys, "m:1"), (NO_KEYS, "m:2"), (keys, "m:2")]):
        logged(tmp_path, rows, which, first=10 * number, model=model)
        assert catch_up(tmp_path, 3600, 64, keys=which)
    assert all(file_key_id(path.read_bytes()) for path in profile_files(tmp_path))
    assert profile_totals(tmp_path, keys)["purpose"]["rows"] == 30


def test_rows_wait_until_the_key_of_their_profile_is_there(tmp_path, rows, profile_totals):
    logged(tmp_path, rows, LogKeys([OLD]))
    assert catch_up(tmp_path, 3600, 64, keys=LogKeys([OLD]))
    logged(tmp_path, rows, NO_KEYS, first=10)
    with pytest.raises(KeyMissing, match=r"m/1/\S+.bin is encrypted with the key"):
        catch_up(tmp_path, 3600, 64)
    assert count(tmp_path) == Status(20, 20, 10, 10)
    assert catch_up(tmp_path, 3600, 64, keys=LogKeys([OLD]))
    assert profile_totals(tmp_path, LogKeys([OLD]))["purpose"]["rows"] == 20


def run(directory, *arguments, key=OLD):
    environment = os.environ | {"SCORER_DIRECTORY": str(directory)}
    environment |= {"SCORER_LOG_KEY": base64.b64encode(key).decode()} if key else {}
    return SERVICE.run("monitoring", ["profiles", "export", *arguments], ROOT, environment)


def test_exported_profiles_are_ordinary_whylogs_binaries_without_the_rows_that_are_held_back(tmp_path, rows):
    records, keys = tmp_path / "var", LogKeys([OLD])
    for model, number in (("m:1", 40), ("m:2", 50), ("m:3", 5)):
        logged(records, rows, keys, number, model=model)
    assert catch_up(records, 3600, 64, keys=keys, least_window_rows=30)
    target = tmp_path / "out"
    done = run(records, str(target))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wrote 2 profiles to {target}\n", "")
    copies = sorted(target.rglob("*"))
    assert [path.parent.name for path in copies if path.is_file()] == ["1", "2"]
    assert [rows_of(DatasetProfileView.read(str(path))) for path in copies if path.is_file()] == [40, 50]
    assert {path.stat().st_mode & 0o777 for path in copies} == {0o600, 0o700}
    assert run(records, str(target)).returncode == 0, "it cannot be repeated"
    assert sorted(target.rglob("*")) == copies

    done = run(records, str(tmp_path / "other"), key=NEW)
    assert done.returncode == 1
    assert "which is not in SCORER_LOG_KEY" in done.stderr


def test_an_export_into_the_profiles_is_refused(tmp_path, log, rows):
    log.append("m:1", rows(5))
    assert catch_up(tmp_path, 3600, 64)
    done = run(tmp_path, str(tmp_path / "profiles/copy"), key=None)
    assert (done.returncode, done.stdout) == (1, "")
    assert "choose another folder" in done.stderr
    assert len(all_files(tmp_path)) == 1


def test_an_export_of_nothing_writes_nothing(tmp_path):
    done = run(tmp_path / "var", str(tmp_path / "out"), key=None)
    assert (done.returncode, done.stdout) == (0, f"wrote 0 profiles to {tmp_path}/out\n")
    assert list(tmp_path.iterdir()) == []
