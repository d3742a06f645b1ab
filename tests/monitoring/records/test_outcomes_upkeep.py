"""Outcomes that are erased and deleted: by command and by the profiler's process, and a database that fails."""

import logging
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from configs.monitoring import read_monitoring
from monitoring.__main__ import main
from monitoring.records import outcomes_upkeep
from monitoring.records.log_keys import NO_KEYS
from monitoring.records.outcomes import Outcome, OutcomeStore
from monitoring.records.outcomes_upkeep import OutcomesUpkeep, erase_outcomes

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Of a store with an outcome of today and one of ten days ago; older than nine days is old."""
    monkeypatch.setenv("SCORER_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SCORER_RETENTION_DAYS", "9")
    settings = read_monitoring()
    with OutcomeStore(settings) as store:
        store.keep([Outcome("old", event=True, observed_at=NOW)], now=NOW - timedelta(days=10))
        store.keep([Outcome("new", event=True, observed_at=NOW)])
    return settings


def left(settings):
    with OutcomeStore(settings) as store:
        return sorted(store.events(["old", "new"]))


def test_retain_deletes_old_outcomes_and_says_so(settings, capsys):
    assert main(["retain"]) == 0
    assert "deleted 1 outcome\n" in capsys.readouterr().out
    assert left(settings) == ["new"]


def test_the_process_deletes_old_outcomes_once_an_hour(settings, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(outcomes_upkeep.time, "monotonic", lambda: clock[0])
    upkeep = OutcomesUpkeep(settings, NO_KEYS)
    upkeep.run()
    assert left(settings) == ["new"]
    with OutcomeStore(settings) as store:
        store.keep([Outcome("old", event=True, observed_at=NOW)], now=NOW - timedelta(days=10))
    upkeep.run()
    assert left(settings) == ["new", "old"]
    clock[0] += 3601
    upkeep.run()
    assert left(settings) == ["new"]


def test_a_database_that_cannot_be_used_is_logged_and_stops_nothing(settings, tmp_path, caplog, capsys):
    for path in tmp_path.glob("outcomes.db*"):
        path.unlink()
    (tmp_path / "outcomes.db").mkdir()
    with caplog.at_level(logging.WARNING):
        OutcomesUpkeep(settings, NO_KEYS).run()
    assert "retention of outcomes failed" in caplog.text
    assert main(["erase", "old"]) == 1, "whoever erases has to know"
    assert "outcomes.db" in capsys.readouterr().err


def test_without_a_store_nothing_is_made(tmp_path):
    settings = msgspec.structs.replace(read_monitoring(), directory=str(tmp_path))
    assert erase_outcomes(settings, NO_KEYS, "any") == 0
    assert list(tmp_path.iterdir()) == []
