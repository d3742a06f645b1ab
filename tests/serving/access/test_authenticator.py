"""Keys: who is admitted, how often, and how the file and the command that writes it behave."""

import hashlib
import os
from pathlib import Path

import pytest

from configs.api_keys import read_api_keys
from configs.source import ConfigError
from serving.access.__main__ import main
from serving.access.authenticator import Authenticator
from serving.access.denials import AccessDenied
from serving.calls import Caller

SECRET, OTHER = "scorer_first", "scorer_second"


def listed(name: str, secret: str, more: str = "permissions: [predict]") -> str:
    return f"  - name: {name}\n    sha256: {hashlib.sha256(secret.encode()).hexdigest()}\n    {more}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one key, which may predict."""
    path = tmp_path / "keys.yaml"
    path.write_text("keys:\n" + listed("batch", SECRET))
    return path


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def refusal(authenticator: Authenticator, presented: str | None, permission: str = "predict") -> AccessDenied:
    with pytest.raises(AccessDenied) as caught:
        authenticator.authorize(presented, permission)
    return caught.value


def test_a_known_key_is_admitted_to_what_it_may_do_and_to_nothing_else(path):
    authenticator = Authenticator(path)
    authenticator.authorize(SECRET, "predict")
    refused = refusal(authenticator, SECRET, "read")
    assert (refused.status, refused.code) == (403, "forbidden")
    assert "permission read" in refused.message


@pytest.mark.parametrize(
    "presented", [None, "", OTHER, SECRET + " ", SECRET.upper(), "\N{SNOWMAN}", "\ud800", "x" * 10_000]
)
def test_a_missing_or_wrong_key_gets_the_accepted_forms(path, presented):
    refused = refusal(Authenticator(path), presented)
    assert (refused.status, refused.code) == (401, "unauthenticated")
    assert refused.status == 401
    assert not presented or presented not in refused.message


def test_the_hash_of_a_key_is_not_accepted_as_a_key(path):
    (key,) = read_api_keys(path)
    assert refusal(Authenticator(path), key.sha256).status == 401


def test_without_a_file_no_key_is_required():
    assert not Authenticator(None).requires_keys


def test_a_caller_has_the_name_of_its_key_and_reads_what_others_scored_only_with_read_all(path):
    path.write_text("keys:\n" + listed("batch", SECRET) + listed("auditor", OTHER, "permissions: [predict, read_all]"))
    authenticator = Authenticator(path)
    assert authenticator.authorize(SECRET, "predict") == Caller("batch", reads_all=False)
    assert authenticator.authorize(OTHER, "predict") == Caller("auditor", reads_all=True)


@pytest.mark.parametrize("name", ["neighbour", "anyone"])
def test_a_key_cannot_have_the_name_by_which_records_know_callers_without_one(path, name):
    path.write_text("keys:\n" + listed(name, SECRET))
    with pytest.raises(ConfigError, match=rf"keys\[0\].name: {name} is how records name callers without a key"):
        read_api_keys(path)
    refused = main(["new", "--name", name, "--permissions", "predict", "--file", str(path.with_name("new.yaml"))])
    assert refused == 1


def test_a_file_without_keys_admits_nobody(path):
    path.write_text("keys: []\n")
    authenticator = Authenticator(path)
    assert authenticator.requires_keys
    assert refusal(authenticator, SECRET).status == 401


def test_an_expired_key_is_refused(path):
    path.write_text("keys:\n" + listed("batch", SECRET, "permissions: [predict]\n    expires: 2020-01-01T00:00:00Z"))
    refused = refusal(Authenticator(path), SECRET)
    assert refused.status == 401
    assert "expired at 2020-01-01" in refused.message


LIMITED = "permissions: [predict]\n    requests_per_s: 2\n    burst: 4"


@pytest.mark.parametrize(("workers", "at_once", "wait_s"), [(1, 4, 1), (2, 2, 1), (8, 1, 4)])
def test_each_worker_grants_its_share_of_a_rate_and_says_when_to_retry(path, workers, at_once, wait_s):
    path.write_text("keys:\n" + listed("batch", SECRET, LIMITED) + listed("other", OTHER))
    clock = Clock()
    authenticator = Authenticator(path, workers, clock)
    for _ in range(at_once):
        authenticator.authorize(SECRET, "predict")
    refused = refusal(authenticator, SECRET)
    assert (refused.status, refused.retry_after_s) == (429, wait_s)
    authenticator.authorize(OTHER, "predict")
    clock.now_s += wait_s
    authenticator.authorize(SECRET, "predict")


def test_a_bucket_never_holds_more_than_its_burst(path):
    path.write_text("keys:\n" + listed("batch", SECRET, LIMITED))
    clock = Clock()
    authenticator = Authenticator(path, now_s=clock)
    clock.now_s += 3600
    for _ in range(4):
        authenticator.authorize(SECRET, "predict")
    assert refusal(authenticator, SECRET).status == 429


def test_a_changed_file_is_in_force_after_a_look_and_fills_no_bucket(path):
    path.write_text("keys:\n" + listed("batch", SECRET, LIMITED))
    authenticator = Authenticator(path, now_s=Clock())
    for _ in range(4):
        authenticator.authorize(SECRET, "predict")
    path.write_text("keys:\n" + listed("batch", SECRET, LIMITED) + listed("other", OTHER))
    authenticator.reload_if_changed()
    authenticator.authorize(OTHER, "predict")
    assert refusal(authenticator, SECRET).status == 429
    path.write_text("keys:\n" + listed("other", OTHER))
    authenticator.reload_if_changed()
    assert refusal(authenticator, SECRET).status == 401


@pytest.mark.parametrize("broken", ["", "keys:", "keys: [", "keys: [{name: a}]", None])
def test_a_broken_file_leaves_the_keys_as_they_were_says_so_once_and_is_mended(path, broken, caplog):
    good, authenticator = path.read_text(), Authenticator(path)
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    authenticator.reload_if_changed()
    authenticator.reload_if_changed()
    authenticator.authorize(SECRET, "predict")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"the keys stay as they were: {path}: ")
    path.write_text(good + listed("other", OTHER))
    authenticator.reload_if_changed()
    authenticator.authorize(OTHER, "predict")


@pytest.mark.parametrize(
    ("entries", "key"),
    [
        (listed("a", SECRET) + listed("a", OTHER), "keys[1].name"),
        (listed("a", SECRET) + listed("b", SECRET), "keys[1].sha256"),
        (listed("a", SECRET, "permissions: []"), "keys[0].permissions"),
        (listed("a", SECRET, "permissions: [everything]"), "keys[0].permissions[0]"),
        (listed("a", SECRET, "permissions: [read]\n    burst: 4"), "keys[0].burst"),
        (listed("a", SECRET, "permissions: [read]\n    requests_per_s: 0"), "keys[0].requests_per_s"),
        (listed("a", SECRET, "permissions: [read]\n    expires: 2030-01-01"), "keys[0].expires"),
        (f"  - name: a\n    sha256: {SECRET}\n    permissions: [read]\n", "keys[0].sha256"),
    ],
)
def test_a_file_that_makes_no_sense_stops_the_start_at_its_key(path, entries, key):
    path.write_text("keys:\n" + entries)
    with pytest.raises(ConfigError) as caught:
        Authenticator(path)
    assert caught.value.key == key


def test_the_command_prints_a_key_once_and_keeps_its_hash_alone(tmp_path, capsys):
    path = tmp_path / "new.yaml"
    command = ["new", "--name", "batch", "--permissions", "predict,read", "--requests-per-s", "0.5", "--days", "30"]
    assert main([*command, "--file", str(path)]) == 0
    secret = capsys.readouterr().out.strip()
    assert len(secret) == len("scorer_") + 43  # 256 bits in base64
    assert secret not in path.read_text()
    Authenticator(path).authorize(secret, "read")
    assert main([*command, "--file", str(path)]) == 1
    assert "batch appears twice" in capsys.readouterr().err
    assert main(["list", "--file", str(path)]) == 0
    assert "batch                predict,read                 0.5/s        until " in capsys.readouterr().out


def test_the_command_without_a_file_prints_an_entry_for_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SCORER_KEYS_FILE", "")
    assert main(["new", "--name", "batch", "--permissions", "predict"]) == 0
    printed = capsys.readouterr()
    path = tmp_path / "keys.yaml"
    path.write_text(printed.err[printed.err.index("keys:") :])
    Authenticator(path).authorize(printed.out.strip(), "predict")


def test_the_command_keeps_comments_and_the_keys_of_others(path, capsys):
    path.write_text("# ours\n" + path.read_text() + "# the next is theirs\n" + listed("theirs", OTHER))
    assert main(["new", "--name", "third", "--permissions", "admin", "--file", str(path)]) == 0
    assert main(["revoke", "batch", "--file", str(path)]) == 0
    assert [key.name for key in read_api_keys(path)] == ["theirs", "third"]
    assert path.read_text().startswith("# ours\nkeys:\n# the next is theirs\n")
    for name in ("theirs", "third"):
        assert main(["revoke", name, "--file", str(path)]) == 0
    assert read_api_keys(path) == ()
    assert main(["revoke", "third", "--file", str(path)]) == 1
    assert "has no key named" in capsys.readouterr().err
    assert main(["new", "--name", "fourth", "--permissions", "read", "--file", str(path)]) == 0
    assert [key.name for key in read_api_keys(path)] == ["fourth"]


def test_the_command_leaves_a_file_alone_that_it_cannot_change(path, capsys):
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    text = f"keys: [{{name: a, sha256: {digest}, permissions: [read]}}]\n"
    path.write_text(text)
    assert main(["new", "--name", "b", "--permissions", "read", "--file", str(path)]) == 1
    assert main(["revoke", "a", "--file", str(path)]) == 1
    assert path.read_text() == text
    assert capsys.readouterr().out == "", "a key that is in no file was shown"


def test_a_new_key_file_is_for_its_owner_alone_and_an_open_one_is_named(tmp_path, capsys):
    path = tmp_path / "keys.yaml"
    before = os.umask(0)
    try:
        assert main(["new", "--name", "a", "--permissions", "read", "--file", str(path)]) == 0
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "chmod" not in capsys.readouterr().err
    path.chmod(0o644)
    assert main(["new", "--name", "b", "--permissions", "read", "--file", str(path)]) == 0
    assert f"{path} is open to every user of this machine: chmod 600 {path}\n" in capsys.readouterr().err
    assert path.stat().st_mode & 0o777 == 0o644, "a file that somebody has mounted keeps its mode"
