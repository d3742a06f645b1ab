"""What of a breach is told: which window is now, missing and unknown values before drift, one budget for two looks."""

from datetime import timedelta

import msgspec
import pytest

from monitoring.drift.looking import ColumnDrift
from monitoring.findings.drift_findings import current, drift_findings, drift_part
from monitoring.records.log_keys import NO_KEYS
from monitoring.watch.figure_metrics import drift_metrics
from tests.monitoring.drift.conftest import MODEL, MONDAY, draw, served, settings, version  # noqa: F401 - fixtures

STILL = ColumnDrift(
    model=MODEL,
    column="income",
    start=MONDAY,
    until=MONDAY + timedelta(hours=1),
    rows=600,
    psi=0.01,
    psi_bound=0.1,
    ks=0.02,
    ks_bound=0.125,
    js=0.01,
    chi2=None,
    higher=0.5,
    p_value=0.5,
    alpha=0.001,
    breach=False,
    nulls=0.0,
    nulls_bound=0.02,
    nulls_reference=0.0,
    unknown=0.0,
    unknown_bound=0.02,
    unknown_reference=0.0,
)


def window(hours=0, **changes):
    start = MONDAY + timedelta(hours=hours)
    return msgspec.structs.replace(STILL, start=start, until=start + timedelta(hours=1), **changes)


def moved(hours=0, **changes):
    return window(hours, **{"psi": 0.3, "breach": True, **changes})


def told(windows):
    return [(one.code, one.subject, one.value, one.bound) for one in drift_findings(windows)]


def test_a_window_without_a_breach_has_no_finding_whatever_its_numbers():
    assert told([window(psi=0.5)]) == []


def test_the_distribution_is_told_by_psi_or_where_that_is_within_its_bound_by_ks():
    assert told([moved()]) == [("drift", "income", 0.3, 0.1)]
    assert told([moved(psi=0.05, ks=0.2)]) == [("drift", "income", 0.2, 0.125)]
    assert told([moved(ks=None, ks_bound=None)]) == [("drift", "income", 0.3, 0.1)]


@pytest.mark.parametrize(("higher", "said"), [(0.7, "moved up"), (0.3, "moved down"), (0.5, "moved"), (None, "moved")])
def test_which_way_numbers_moved_is_said_where_they_did(higher, said):
    (found,) = drift_findings([moved(higher=higher)])
    assert found.message.startswith(f"income {said}: PSI 0.3 in 600 rows")


def test_missing_and_unknown_values_are_told_instead_of_the_drift_that_they_are():
    assert told([moved(nulls=0.4)]) == [("missing_values", "income", 0.4, 0.02)]
    assert told([moved(unknown=0.4)]) == [("unknown_values", "income", 0.4, 0.02)]
    assert [code for code, *_ in told([moved(nulls=0.3, unknown=0.4)])] == ["missing_values", "unknown_values"]
    (found,) = drift_findings([moved(nulls=0.4)])
    assert (
        found.message == "income is missing in 40.0% instead of 0.0% in 600 rows since 2026-11-16T00:00Z (bound 0.02)"
    )
    assert found.since == MONDAY


def test_two_versions_that_serve_at_once_are_two_subjects():
    both = [moved(), moved(model="shop:2")]
    assert [one.subject for one in drift_findings(both)] == ["income of shop:1", "income of shop:2"]


@pytest.mark.parametrize(
    ("before", "newest", "minute", "hour_told"),
    [
        (window(0), moved(1), 70, 1),  # a breach is told while its window fills
        (moved(0), window(1), 70, 0),  # a window that fills does not end the finding of the one before
        (moved(0), moved(1), 70, 1),
        (moved(0), window(1), 121, None),  # a whole window without a breach does
        (window(0), window(1), 70, None),
    ],
)
def test_the_window_that_counts_is_the_newest_or_the_one_before_while_that_one_fills(before, newest, minute, hour_told):
    (found,) = current([newest, before], MONDAY + timedelta(minutes=minute))
    assert (found.start if found.breach else None) == (
        None if hour_told is None else MONDAY + timedelta(hours=hour_told)
    )


@pytest.mark.slow
def test_what_moved_today_is_found_once_and_measured_and_what_moved_long_ago_is_not(settings, version, served):  # noqa: F811
    version()
    served(9, **draw(600, 1, shift=1.0))
    now = MONDAY + timedelta(hours=9, minutes=30)
    seen = drift_part(settings, NO_KEYS, now)
    assert [(one.code, one.subject) for one in seen.findings] == [("drift", "income")]
    text = drift_metrics(seen.drift)
    assert f'scorer_drift_rows{{model="{MODEL}",feature="income"}} 600\n' in text
    psi = {one.column: one.psi for one in seen.drift}
    assert f'scorer_drift{{model="{MODEL}",feature="income",statistic="psi"}} {psi["income"]!r}\n' in text
    assert 'feature="home",statistic="ks"' not in text  # texts have none
    assert drift_part(settings, NO_KEYS, MONDAY + timedelta(days=3)).findings == []


@pytest.mark.slow
def test_a_version_that_is_gone_and_a_torn_profile_are_findings(settings, version, served):  # noqa: F811
    served(9, **draw(60, 1))
    now = MONDAY + timedelta(hours=9, minutes=30)
    (gone,) = drift_part(settings, NO_KEYS, now).findings
    assert (gone.code, gone.subject) == ("not_watched", f"drift of {MODEL}")
    assert "is neither in" in gone.message
    version()
    torn = served(9, **draw(60, 1))
    torn.write_bytes(torn.read_bytes()[:100])
    (unread,) = drift_part(settings, NO_KEYS, now).findings
    assert (unread.code, unread.subject) == ("not_watched", f"drift of {torn}")
