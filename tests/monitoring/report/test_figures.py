"""From records to figures: the last day against the reference, a week against the week before."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from monitoring.profiles.profiler import catch_up
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS
from monitoring.report.figures import figures
from monitoring.report.traffic import mean_of
from monitoring.status import Status, count
from tests.conftest import struct_of
from tests.monitoring.drift.conftest import MODEL, MONDAY, draw

NOW = MONDAY + timedelta(days=10)


def shares(found, column):
    (shape,) = [one.shape for one in found.columns if one.shape.column == column]
    return dict(zip(shape.labels, shape.current, strict=True))


@pytest.fixture
def moved(version, served, settings):
    """A model, a week like its reference, and days of a second week with people who all rent."""
    version()
    for day in range(7):
        served(24 * day + 12, **draw(60, seed=day))
    for day in range(7, 10):
        served(24 * day + 12, **draw(400, seed=day) | {"home": ["rent"] * 400})
    return figures(settings, NO_KEYS, NOW)


def test_the_last_day_ends_with_the_newest_rows_however_long_ago(moved):
    assert moved.until == MONDAY + timedelta(days=9, hours=13)
    assert moved.since == moved.until - timedelta(days=1)
    assert moved.made_at == NOW


def test_a_column_is_shown_as_it_was_in_the_last_day_beside_the_reference(moved):
    assert shares(moved, "home") == {"own": 0, "rent": 1, "free": 0}
    (home,) = [one for one in moved.columns if one.shape.column == "home"]
    assert home.shape.reference == pytest.approx((0.6, 0.3, 0.1), abs=0.05)
    assert home.moved
    assert moved.columns[0] == home, "what has moved comes first"
    assert [one.shape.column for one in moved.columns if one.moved] == ["home"]
    assert len(home.history) >= 2


def test_traffic_is_counted_by_window_and_decision(moved):
    assert [window.rows for window in moved.windows] == [60] * 7 + [400] * 3
    drawn = draw(400, seed=9)
    assert moved.windows[-1].decisions == {
        "approve": drawn["decision"].count("approve"),
        "decline": drawn["decision"].count("decline"),
        "refer": 0,
    }
    mean = sum(drawn["probability"]) / 400
    assert moved.windows[-1].mean == pytest.approx(mean, abs=0.002)
    assert mean_of(moved.windows[-1:]) == pytest.approx(moved.windows[-1].mean)


def test_a_week_is_told_against_the_week_before(moved):
    assert any(sentence.startswith("home: ") and " went from " in sentence for sentence in moved.changes)
    assert any("more than the week before" in sentence for sentence in moved.changes)


def test_a_version_whose_artifact_is_gone_still_has_its_traffic(served, settings):
    drawn = draw(60, seed=1)
    served(0, **drawn)
    found = figures(settings, NO_KEYS, NOW)
    assert (found.model.tag, found.columns) == (MODEL, ())
    assert found.windows[0].rows == 60
    assert found.windows[0].mean == pytest.approx(sum(drawn["probability"]) / 60, abs=0.005)
    assert any(MODEL in problem for problem in found.problems)


def test_a_file_that_is_no_profile_is_told_and_hides_nothing_else(version, served, settings):
    version()
    served(0, **draw(60, seed=1))
    served(1, **draw(60, seed=2)).write_bytes(b"torn")
    found = figures(settings, NO_KEYS, NOW)
    assert [window.rows for window in found.windows] == [60]
    assert len(found.problems) == 1
    assert "profile" in found.problems[0]


def test_the_four_counts_are_those_of_the_command_for_status(settings):
    log = DecisionLog.of(settings, NO_KEYS, begin=True)
    rows = [
        Row("http", 0.5, "approve", struct_of({"home": "own", "application_id": str(place)})) for place in range(40)
    ]
    log.append(MODEL, rows)
    assert figures(settings, NO_KEYS, NOW).status == count(Path(settings.directory)) == Status(40, 40, 0, 40)
    catch_up(Path(settings.directory), settings.window_s, settings.frame_rows, 60.0, NO_KEYS)
    log.append(MODEL, rows[:3])
    log.close()
    assert figures(settings, NO_KEYS, NOW).status == count(Path(settings.directory)) == Status(43, 43, 40, 3)


def test_a_damaged_checkpoint_is_told_and_hides_only_what_is_counted_by_it(version, served, settings):
    version()
    served(0, **draw(60, seed=1))
    (Path(settings.directory) / "profiles/checkpoint.json").unlink()
    found = figures(settings, NO_KEYS, NOW)
    assert found.windows[0].rows == 60
    assert [problem for problem in found.problems if "checkpoint.json" in problem] == list(found.problems)


def test_without_records_there_are_figures_of_nothing(settings, tmp_path):
    elsewhere = msgspec.structs.replace(settings, directory=str(tmp_path / "none"))
    found = figures(elsewhere, NO_KEYS, NOW)
    assert (found.model, found.windows) == (None, ())
    assert not (tmp_path / "none").exists()


def test_the_figures_are_json_with_the_names_that_the_command_for_drift_has(moved):
    drift = msgspec.json.decode(msgspec.json.encode(moved))["columns"][0]["drift"]
    assert {"model", "column", "from", "until", "rows", "psi", "psi_bound"} <= drift.keys()
    assert {"ks", "ks_bound", "js", "p_value", "breach"} <= drift.keys()
