"""`python -m monitoring findings`: what cron and CI get."""

import json

import pytest

from monitoring.__main__ import main


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("SCORER_DIRECTORY", str(tmp_path / "var"))
    monkeypatch.setenv("SCORER_WATCH_FREE_BYTES", "0")


def test_nothing_found_is_exit_code_0(tmp_path, capsys):
    (tmp_path / "var").mkdir()
    assert main(["findings", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"findings": []}
    assert main(["findings"]) == 0
    assert capsys.readouterr().out == "nothing found\n"


def test_what_is_found_is_exit_code_3_with_every_field_of_the_contract(tmp_path, capsys, monkeypatch):
    (tmp_path / "var").mkdir()
    monkeypatch.setenv("SCORER_WATCH_FREE_BYTES", str(1 << 40))
    assert main(["findings", "--json"]) == 3
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert list(found) == ["code", "subject", "value", "bound", "since", "message", "remedy"]
    assert (found["code"], found["bound"]) == ("disk", 1 << 40)
    assert main(["findings"]) == 3
    assert capsys.readouterr().out.startswith("disk  ")


def test_no_records_is_exit_code_1_with_a_reason_on_standard_error(capsys):
    assert main(["findings", "--json"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "there are no records to look at" in said.err
