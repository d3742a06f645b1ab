"""What the watch writes, and what of it a worker passes on."""

import stat
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.findings.finding import CODES, Finding
from monitoring.findings.log_state import LogState
from monitoring.watch.files import METRICS, monitor_folder, replace_file, watched_metrics
from monitoring.watch.metrics_text import finding_metrics, gauge, look_metrics, record_metrics

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DRIFT = Finding(code="drift", subject='a "b" \\ {c}', value=0.3, bound=0.2, since=NOW, message="m", remedy="r")


def samples(text):
    """Value by name and labels, as Prometheus's own parser for Python reads the text."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_was_found_and_how_far_the_records_are_is_read_back_through_the_file(tmp_path):
    state = LogState(lost=3, pending=5, oldest_pending=NOW - timedelta(seconds=7), newest=NOW)
    text = finding_metrics([DRIFT]) + record_metrics(state, 1 << 33, NOW) + look_metrics(NOW, 0.25)
    replace_file(monitor_folder(tmp_path) / METRICS, text.encode())
    assert watched_metrics(tmp_path) == text
    found = samples(watched_metrics(tmp_path))
    assert found[("scorer_finding", ("code", "drift"), ("subject", 'a "b" \\ {c}'))] == 1
    assert {code: found[("scorer_findings", ("code", code))] for code in CODES} == {
        code: int(code == "drift") for code in CODES
    }
    assert found[("scorer_lost_rows",)] == 3
    assert found[("scorer_profile_lag_seconds",)] == 7
    assert found[("scorer_records_free_bytes",)] == 1 << 33
    assert found[("scorer_watch_timestamp_seconds",)] == NOW.timestamp()


def test_two_findings_of_one_identity_are_one_series():
    """Prometheus takes a series once per scrape."""
    assert finding_metrics([DRIFT, DRIFT]).count("scorer_finding{") == 1


def test_before_the_first_look_there_are_no_metrics(tmp_path):
    assert watched_metrics(tmp_path) == ""


@pytest.mark.parametrize(
    "content",
    [
        b'scorer_finding{code="drift"} 1',  # torn: no end of line
        b'scorer_finding{code="dri',
        b"\xff\n",
        b"scorer_findings 1\nother_metric 1\n",
        b"scorer_findings NaN or what\n",
        b'scorer_findings{code="a"b"} 1\n',
        b"# EOF\nscorer_findings 1\n",
    ],
)
def test_a_torn_or_foreign_file_is_left_out_as_a_whole_and_reported(tmp_path, caplog, content):
    """One line that Prometheus cannot read would cost all metrics of the worker."""
    replace_file(monitor_folder(tmp_path) / METRICS, content)
    assert watched_metrics(tmp_path) == ""
    assert METRICS in caplog.text


def test_numbers_that_json_and_prometheus_spell_alike_pass(tmp_path):
    text = gauge("scorer_x", "Example", [({"a": "b"}, value) for value in (1e-17, -2.5, 1e22, 0, float("nan"))])
    replace_file(monitor_folder(tmp_path) / METRICS, text.encode())
    assert sorted(samples(watched_metrics(tmp_path)).values()) == [0]  # one series, the last value
    assert text.count("\n") == 6


def test_what_is_written_is_private_and_leaves_nothing_behind(tmp_path):
    path = monitor_folder(tmp_path) / METRICS
    for content in (b"", b"scorer_x 1\n"):
        replace_file(path, content)
    assert [file.name for file in path.parent.iterdir()] == [METRICS]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
