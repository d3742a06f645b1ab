"""A model that outcomes contradict is found, with figures for people and for Prometheus."""

from datetime import UTC, datetime

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.findings.finding import Finding
from monitoring.findings.looking import examine
from monitoring.findings.performance_findings import performance_findings, performance_part
from monitoring.performance.results import Breach, Concept, Figure, Performance
from monitoring.records.log_keys import NO_KEYS
from monitoring.watch.figure_metrics import performance_metrics
from tests.monitoring.performance.conftest import TAG, decide, keep_version, report, settings  # noqa: F401 - a fixture

NOW = datetime(2026, 11, 27, tzinfo=UTC)
FINE = Performance(
    model=TAG,
    since="2026-11-01T00:00:00Z",
    until="2026-11-02T00:00:00Z",
    rows=1000,
    with_outcome=500,
    immature=0,
    realised={"roc_auc": Figure(0.6, 0.55, 0.65)},
    estimated={"roc_auc": Figure(0.75, 0.7, 0.8)},
    reference={"roc_auc": 0.78, "rows": 200},
    check={},
    concept=None,
    groups=[],
    windows=[],
    breaches=[],
    breach=False,
)


def test_each_breach_is_a_finding_with_its_figures_and_time():
    assert performance_findings(FINE) == []
    breaches = [
        Breach("realised_roc_auc", 0.6, 0.73, FINE.since),
        Breach("concept", 1e-9, 0.25, "2026-11-01T12:00:00Z"),
    ]
    concept = Concept(1e-9, 0.25, True, "2026-11-01T12:00:00Z", observed=0.5, predicted=0.25)
    ranking, other = performance_findings(msgspec.structs.replace(FINE, breaches=breaches, concept=concept))
    assert isinstance(ranking, Finding)
    assert (ranking.code, ranking.subject, ranking.value, ranking.bound) == (
        "performance",
        "realised_roc_auc",
        0.6,
        0.73,
    )
    assert "ROC AUC 0.600 of 1,000 decisions, at least 0.730 expected" in ranking.message
    assert (other.code, other.subject, other.since) == ("concept", TAG, datetime(2026, 11, 1, 12, tzinfo=UTC))
    assert other.message.endswith("50.0% events where 25.0% were expected")


def test_metrics_have_value_and_interval_by_source_and_the_reference():
    found = {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(performance_metrics(FINE))
        if family.name == "scorer_performance"
        for sample in family.samples
    }
    name = ("metric", "roc_auc"), ("model", TAG)
    assert found == {
        (*name, ("part", part), ("source", source)): value
        for source, figures in {
            "realised": {"value": 0.6, "low": 0.55, "high": 0.65},
            "estimated": {"value": 0.75, "low": 0.7, "high": 0.8},
            "reference": {"value": 0.78},
        }.items()
        for part, value in figures.items()
    }
    assert performance_metrics(None) == ""


@pytest.mark.slow
def test_outcomes_that_were_flipped_are_found_and_right_ones_are_not(settings):  # noqa: F811
    keep_version(settings)
    decided = decide(settings)
    assert performance_part(settings, NO_KEYS, NOW).findings == []
    report(settings, decided, flipped=0.4)
    quiet = msgspec.structs.replace(settings, watch_free_bytes=0)
    seen = examine(quiet, NO_KEYS, datetime.now(UTC))
    assert {one.code for one in seen.findings} >= {"performance", "concept"}
    assert "not_watched" not in {one.code for one in seen.findings}
    assert seen.performance.with_outcome == 1200
    text = performance_metrics(seen.performance)
    assert f'scorer_decisions_with_outcome{{model="{TAG}"}} 1200\n' in text
    assert f'scorer_group_performance{{model="{TAG}",column="age",group="' in text
