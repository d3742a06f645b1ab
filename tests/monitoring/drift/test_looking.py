"""Drift of what was served: windows, verdicts, and what cannot be compared."""

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from monitoring.__main__ import main
from monitoring.drift.looking import ColumnDrift, histograms, inspect, look
from monitoring.profiles.files import sealed
from monitoring.records.log_keys import NO_KEYS, LogKeys
from tests.monitoring.drift.conftest import MODEL, MONDAY, draw

COLUMNS = ["income", "home", "items", "sex", "probability", "decision"]


def hour(number):
    return MONDAY + timedelta(hours=number)


def of(found, column):
    """The drift of one column in each window."""
    return [one for one in found if one.column == column]


def test_every_column_of_a_window_is_compared_in_the_order_of_the_dataset_file(settings, version, served):
    version()
    served(9, **draw(600, 1))
    found = look(settings, NO_KEYS, None, None)
    assert [one.column for one in found] == COLUMNS
    assert {(one.model, one.start, one.until, one.rows) for one in found} == {(MODEL, hour(9), hour(10), 600)}
    assert not any(one.breach for one in found)


def test_only_the_column_that_moved_breaches(settings, version, served):
    version()
    served(9, **draw(600, 1, shift=0.6))
    assert [one.column for one in look(settings, NO_KEYS, None, None) if one.breach] == ["income"]


def test_statistics_equal_those_of_the_rows_themselves(settings, version, served):
    reference, current = draw(800, 0), draw(700, 1, shift=0.2)
    version(**reference)
    served(9, **current)
    found = {one.column: one for one in look(settings, NO_KEYS, None, None)}
    for name in ("income", "probability", "items"):
        numbers = [[value for value in table[name] if value is not None] for table in (reference, current)]
        assert found[name].ks == pytest.approx(stats.ks_2samp(*numbers).statistic, abs=1e-9)
    for name, categories in (("home", ["own", "rent", "free"]), ("decision", ["approve", "decline"])):
        counts = np.array([[table[name].count(one) for one in categories] for table in (reference, current)])
        smooth = counts + 0.5
        shares = smooth / smooth.sum(axis=1, keepdims=True)
        assert found[name].psi == pytest.approx(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
        assert found[name].chi2 == pytest.approx(stats.chi2_contingency(counts, correction=False).statistic)
        assert found[name].js == pytest.approx(jensenshannon(*counts, base=2))
    deciles = np.quantile(reference["income"], np.arange(0.1, 1, 0.1))
    counts = [np.bincount(np.searchsorted(deciles, table["income"]), minlength=10) for table in (reference, current)]
    first, second = ((count + 0.5) / (count + 0.5).sum() for count in counts)
    assert found["income"].psi == pytest.approx(np.sum((second - first) * np.log(second / first)), rel=0.1)


def test_hours_and_days_are_those_of_utc(settings, version, served):
    version()
    for start in (9, 10, 33):
        served(start, **draw(200, start))
    hours = of(look(settings, NO_KEYS, None, None, "hour"), "income")
    assert [(one.start, one.until, one.rows) for one in hours] == [
        (hour(start), hour(start + 1), 200) for start in (9, 10, 33)
    ]
    days = of(look(settings, NO_KEYS, None, None, "day"), "income")
    assert [(one.start, one.until, one.rows) for one in days] == [(hour(0), hour(24), 400), (hour(24), hour(48), 200)]


def test_a_window_of_rows_ends_when_it_can_be_judged(settings, version, served):
    version()
    for start in range(4):
        served(start, **draw(300, start))
    served(7 * 24, **draw(300, 9))  # the next Monday
    windows = of(look(settings, NO_KEYS, None, None, "rows"), "income")
    assert [(one.start, one.until, one.rows) for one in windows] == [
        (hour(0), hour(2), 600),
        (hour(2), hour(4), 600),
        (hour(168), hour(169), 300),
    ]


@pytest.mark.parametrize("kind", ["rows", "hour", "day"])
def test_windows_are_the_same_wherever_a_look_begins(settings, version, served, kind):
    version()
    for start in range(0, 60, 5):
        served(start, **draw(200, start))
    whole = look(settings, NO_KEYS, None, None, kind)
    for since in range(0, 60, 7):
        assert look(settings, NO_KEYS, hour(since), None, kind) == [one for one in whole if one.until > hour(since)]


def test_since_and_until_choose_windows(settings, version, served):
    version()
    for start in (1, 2, 3):
        served(start, **draw(100, start))
    starts = [one.start for one in of(look(settings, NO_KEYS, hour(2), hour(3), "hour"), "income")]
    assert starts == [hour(2)]
    assert look(settings, NO_KEYS, hour(9), None) == []


def test_merged_windows_equal_one_profile_of_all_their_rows(settings, version, served):
    version()
    parts = [draw(300, seed, shift=0.3) for seed in (1, 2)]
    for start, part in enumerate(parts):
        served(start, **part)
    (merged,) = of(look(settings, NO_KEYS, None, None, "day"), "income")
    served(24, **{name: [*parts[0][name], *parts[1][name]] for name in parts[0]})
    once = of(look(settings, NO_KEYS, None, None, "day"), "income")[1]
    assert (once.psi, once.ks, once.js) == (merged.psi, merged.ks, merged.js)


@pytest.mark.parametrize("kind", ["rows", "hour", "day"])
def test_profiles_of_replicas_are_merged_with_those_here(settings, version, served, tmp_path, kind):
    version()
    parts = [draw(600, seed, shift=0.2) for seed in (1, 2)]
    served(1, **{name: [*parts[0][name], *parts[1][name]] for name in parts[0]})
    expected = look(settings, NO_KEYS, None, None, kind)
    for part, replica in zip(parts, ("a", "b"), strict=True):
        written = served(1, **part)
        place = tmp_path / replica / written.relative_to(settings.directory)
        place.parent.mkdir(parents=True)
        written.rename(place)
    several = msgspec.structs.replace(settings, drift_replicas=str(tmp_path / "*"))
    found = look(several, NO_KEYS, None, None, kind)
    assert [(one.column, one.rows, one.breach) for one in found] == [
        (one.column, one.rows, one.breach) for one in expected
    ]
    assert [one.psi for one in found] == pytest.approx([one.psi for one in expected], abs=0.003)
    assert look(settings, NO_KEYS, None, None, kind) == []


def test_nulls_and_unknown_values_breach_by_themselves(settings, version, served):
    version()
    columns = draw(600, 1)
    columns["home"] = ["castle" if row % 12 == 0 else value for row, value in enumerate(columns["home"])]
    columns["income"] = [None if row % 12 == 1 else value for row, value in enumerate(columns["income"])]
    served(1, **columns)
    found = {one.column: one for one in look(settings, NO_KEYS, None, None)}
    assert {name for name, one in found.items() if one.breach} == {"home", "income"}
    assert (found["home"].unknown, found["home"].unknown_reference) == (pytest.approx(1 / 12), 0)
    assert (found["income"].nulls, found["income"].nulls_reference) == (pytest.approx(1 / 12), 0)
    assert found["items"].nulls_reference > 0.1
    assert found["home"].unknown > found["home"].unknown_bound > 0.02


def test_a_breach_has_a_p_value_that_the_window_may_spend(settings, version, served):
    version()
    for start, shift in enumerate(np.linspace(0, 1, 12)):
        served(start, **draw(500, start, shift))
    found = of(look(settings, NO_KEYS, None, None, "hour"), "income")
    assert 0 < sum(one.breach for one in found) < len(found)
    for one in found:
        assert one.breach == (one.psi > one.psi_bound or one.ks > one.ks_bound)
        assert one.p_value <= one.alpha if one.breach else True
    assert found[0].alpha == pytest.approx(1 / 8766 / len(COLUMNS))


def test_a_window_of_few_rows_breaches_nothing(settings, version, served):
    version()
    served(1, **draw(49, 1, shift=9))
    (found,) = of(look(settings, NO_KEYS, None, None), "income")
    assert (found.rows, found.breach) == (49, False)
    served(1, **draw(50, 1, shift=9))
    assert of(look(settings, NO_KEYS, None, None), "income")[0].breach


def test_a_small_drift_of_many_rows_is_certain_and_no_breach(settings, version, served):
    version(**draw(20_000, 0))
    served(1, **draw(20_000, 1, shift=0.15))
    (found,) = of(look(settings, NO_KEYS, None, None), "income")
    assert found.p_value < found.alpha
    assert (found.psi < 0.1, found.breach) == (True, False)


def test_a_protected_column_that_nobody_sends_is_not_compared(settings, version, served):
    version()
    served(1, **(draw(500, 1) | {"sex": [None] * 500}))
    assert of(look(settings, NO_KEYS, None, None), "sex") == []
    columns = draw(500, 1)
    del columns["sex"], columns["items"]
    served(1, **columns)
    found = look(settings, NO_KEYS, None, None)
    assert of(found, "sex") == []
    assert (of(found, "items")[0].nulls, of(found, "items")[0].breach) == (1, True)


def test_a_tied_probability_of_another_processor_has_not_moved(settings, version, served):
    reference, current = draw(800, 0), draw(800, 1)
    scores = np.array([0.1, 0.2, 0.3, 0.7], dtype=np.float32)
    codes = np.arange(800) % 4
    reference["probability"] = scores[codes].astype(float)
    current["probability"] = np.nextafter(scores, np.float32(0))[codes].astype(float)
    version(**reference)
    served(1, **current)
    (found,) = of(look(settings, NO_KEYS, None, None), "probability")
    assert (found.psi, found.ks) == (0, 0)


def test_a_constant_column_has_no_drift_until_it_changes(settings, version, served):
    version(**(draw(800, 0) | {"income": [5.0] * 800}))
    served(1, **(draw(500, 1) | {"income": [5.0] * 500}))
    served(2, **(draw(500, 1) | {"income": [6.0] * 500}))
    same, other = of(look(settings, NO_KEYS, None, None, "hour"), "income")
    assert (same.psi, same.ks, same.p_value, same.breach) == (0, 0, 1, False)
    assert (other.ks, other.breach) == (1, True)


def test_an_older_reference_without_probability_has_no_drift_of_it(settings, version, served):
    columns = draw(800, 0)
    del columns["probability"], columns["decision"]
    version(**columns)
    served(1, **draw(500, 1))
    assert [one.column for one in look(settings, NO_KEYS, None, None)] == COLUMNS[:-2]


def test_what_cannot_be_read_is_named_and_the_rest_is_looked_at(settings, version, served):
    version()
    served(1, **draw(500, 1))
    torn, foreign = served(2, **draw(500, 2)), served(3, **draw(500, 3))
    torn.write_bytes(torn.read_bytes()[:5000])
    foreign.write_bytes(b"no profile")
    other = Path(settings.directory, "profiles/other/7/20261116T000000Z.bin")
    other.parent.mkdir(parents=True)
    other.write_bytes(b"")
    found = inspect(settings, NO_KEYS, None, None, "hour")
    assert {one.start for one in found.drift} == {hour(1)}
    assert set(found.unread) == {torn, foreign}
    assert list(found.gone) == ["other:7"]


def test_encrypted_profiles_need_their_key(settings, version, served):
    version()
    path, keys = served(1, **draw(500, 1)), LogKeys([bytes(32)])
    path.write_bytes(sealed(path, path.read_bytes(), keys))
    assert len(look(settings, keys, None, None)) == len(COLUMNS)
    found = inspect(settings, NO_KEYS, None, None)
    assert (found.drift, list(found.unread)) == ([], [path])


def test_a_profile_that_changed_is_read_again(settings, version, served):
    version()
    served(1, **draw(500, 1))
    before = of(look(settings, NO_KEYS, None, None), "income")
    served(1, **draw(700, 1, shift=1))
    after = of(look(settings, NO_KEYS, None, None), "income")
    assert [one.rows for one in (*before, *after)] == [500, 700]


def test_histograms_show_shares_of_reference_and_window(settings, version, served):
    version()
    for start in (1, 2):
        served(start, **draw(400, start, shift=1))
    found = {one.column: one for one in histograms(settings, NO_KEYS, None, None)}
    assert list(found) == COLUMNS
    for one in found.values():
        assert len(one.reference) == len(one.current) == len(one.categories or one.edges[1:])
        assert (sum(one.reference), sum(one.current), one.rows) == (pytest.approx(1), pytest.approx(1), 800)
    middles = np.convolve(found["income"].edges, [0.5, 0.5], "valid")
    assert middles @ found["income"].current - middles @ found["income"].reference == pytest.approx(1, abs=0.2)
    assert found["items"].edges == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5]
    assert found["home"].categories == ["own", "rent", "free", "other"]


def test_the_command_says_what_drifted_and_its_exit_code_does_too(settings, version, served, monkeypatch, capsys):
    monkeypatch.setenv("SCORER_DIRECTORY", settings.directory)
    assert main(["drift"]) == 0
    assert capsys.readouterr().out.startswith("no profile to compare")
    version()
    served(1, **draw(600, 1))
    assert main(["drift"]) == 0
    assert "no drift" in capsys.readouterr().out
    served(2, **draw(600, 1, shift=1))
    assert main(["drift", "--since", "2026-11-16T02:00Z", "--window", "hour"]) == 3
    said = capsys.readouterr()
    assert "1 column of 6 drifted\n  income: PSI" in said.out
    assert main(["drift", "--json"]) == 3
    listed = json.loads(capsys.readouterr().out)
    contract = {
        "model",
        "column",
        "from",
        "until",
        "rows",
        "psi",
        "psi_bound",
        "ks",
        "ks_bound",
        "js",
        "p_value",
        "breach",
    }
    assert contract <= listed[0].keys()
    assert msgspec.convert(listed, list[ColumnDrift]) == look(settings, NO_KEYS, None, None)
    assert listed[0]["from"] == "2026-11-16T01:00:00Z"
    assert main(["drift", "--until", "2026-11-16T02:00Z"]) == 0


def test_the_command_ends_with_one_where_it_could_not_look(settings, served, monkeypatch, capsys):
    monkeypatch.setenv("SCORER_DIRECTORY", settings.directory)
    monkeypatch.setenv("BENTOML_HOME", settings.directory)
    served(1, **draw(600, 1))
    assert main(["drift"]) == 1
    said = capsys.readouterr()
    assert (said.out, MODEL in said.err) == ("", True)


def test_a_batch_run_is_a_window_of_its_own_and_no_alarm(settings, version, served, capsys, monkeypatch):
    from monitoring.profiles import batch_windows
    from monitoring.profiles.profile import profile_columns
    from monitoring.profiles.whylogs_compat import serialize
    from monitoring.report.batches import batches

    version()
    served(9, **draw(600, 1))
    content = serialize(profile_columns(draw(700, 2, shift=0.6), MODEL, hour(9)))
    for run in ("first", "second"):
        assert batch_windows.keep(settings, NO_KEYS, run, MODEL, hour(9), content) is not None
    few = msgspec.structs.replace(settings, least_window_rows=701)
    assert batch_windows.keep(few, NO_KEYS, "third", MODEL, hour(9), content) is None
    alone = look(settings, NO_KEYS, None, None)
    assert [(one.rows, one.batch_run, one.breach) for one in of(alone, "income")] == [(600, "", False)]
    both = of(inspect(settings, NO_KEYS, None, None, "rows", "both").drift, "income")
    assert [(one.rows, one.batch_run, one.breach) for one in both] == [
        (600, "", False),
        (700, "first", True),
        (700, "second", True),
    ]
    assert {one.batch_run for one in inspect(settings, NO_KEYS, None, None, "day", "batch").drift} == {
        "first",
        "second",
    }
    assert [one.rows for one in histograms(settings, NO_KEYS, None, None) if one.column == "income"] == [600]
    told = list(batches(settings, NO_KEYS, hour(0)))
    assert [one.partition(": ")[0] for one in told] == [
        "16 Nov 2026, 09:00 UTC, run second",
        "16 Nov 2026, 09:00 UTC, run first",
    ]
    assert "700 rows by shop:1; moved: income (PSI " in told[0]
    monkeypatch.setenv("SCORER_DIRECTORY", settings.directory)
    assert main(["drift"]) == 3
    assert "700 rows  batch run first  1 column of 6 drifted" in capsys.readouterr().out
