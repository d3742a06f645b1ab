"""Alerts, panels and the analysis of a canary ask Prometheus for what the service counts, and judge by it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from models import errors
from monitoring.findings.finding import CODES
from serving.metrics import QUEUE_BUCKETS_S
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
RULES = ROOT / "monitoring/prometheus"
ALERTS = yaml.safe_load((RULES / "alerts.yaml").read_text())["groups"]
RECORDED = yaml.safe_load((RULES / "recording.yaml").read_text())["groups"]
PROMETHEUS = {"up"}  # made by Prometheus itself
SECONDS = {"s": 1, "m": 60}


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of an alert, a panel and an analysis, with where it is."""
    for rule in ALERTS[0]["rules"]:
        yield rule["alert"], rule["expr"]
    for rule in RECORDED[0]["rules"]:
        yield rule["record"], rule["expr"]
    board = yaml.safe_load((DEPLOY / "compose/grafana/dashboards/scorer.json").read_text())
    for panel in board["panels"]:
        yield panel["title"], panel["targets"][0]["expr"]
    analysis = yaml.safe_load((DEPLOY / "kubernetes/overlays/canary/analysis.yaml").read_text())
    for metric in analysis["spec"]["metrics"]:
        yield metric["name"], metric["provider"]["prometheus"]["query"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()), ids=[where for where, _ in expressions()])
def test_every_metric_that_is_asked_for_is_one_that_the_service_counts(where, expression):
    code = "".join(path.read_text() for room in ("serving", "monitoring") for path in (ROOT / room).rglob("*.py"))
    names = set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b(?=[{\[)])", expression)) | set(re.findall(r"\bup\b", expression))
    assert names, where
    for name in names - PROMETHEUS:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name.startswith("haproxy_") or f'"{base}"' in code or f"# TYPE {base} " in code, f"{where}: {name}"


def test_a_bound_on_the_wait_for_a_batch_is_one_of_its_buckets():
    (slow,) = [rule["expr"] for rule in ALERTS[0]["rules"] if rule["alert"] == "ScorerSlow"]
    assert float(slow.rsplit("> ", 1)[1]) in QUEUE_BUCKETS_S


def test_every_reason_of_a_refusal_has_its_alert_and_none_has_two():
    """`timeout` is the caller's with 408 and ours with 504, and has one of its own."""
    found = {
        rule["alert"]: (match[1], match[2])
        for rule in ALERTS[0]["rules"]
        if (match := re.search(r'scorer_rejected_total{reason(=|!~)"([^"]*)"}', rule["expr"]))
    }
    assert found == {
        "ScorerFaults": ("=", "internal_error"),
        "ScorerTimeouts": ("=", "timeout"),
        "ScorerOverloaded": ("=", "unavailable"),
        "ScorerRefusesCallers": ("!~", "internal_error|timeout|unavailable"),
    }
    assert {code for status, code in errors.CODES.items() if status >= 500} == {
        "internal_error",
        "timeout",
        "unavailable",
    }


def test_no_alert_adds_up_what_is_in_two_namespaces():
    for rule in ALERTS[0]["rules"]:
        for grouped in re.findall(r"(?:sum|max|group) (?:by \(([^)]*)\))?", rule["expr"]):
            assert "namespace" in grouped, rule["alert"]
        assert not re.search(r"\b(?:sum|avg|min|count)\(", rule["expr"]), rule["alert"]


def test_the_alerts_of_the_cluster_are_those_that_promtool_tests():
    rule = yaml.safe_load((DEPLOY / "kubernetes/base/alerts.yaml").read_text())
    assert rule["spec"]["groups"] == ALERTS + RECORDED, "run `make alerts`"
    tested = (RULES / "alerts_test.yaml").read_text()
    for alert in ALERTS[0]["rules"]:
        assert re.search(rf"alertname: {alert['alert']}\b(?s:.){{0,60}}exp_labels", tested), (
            f"{alert['alert']} never fires"
        )


def test_every_recorded_series_is_tested_and_named_after_its_level_metric_and_operation():
    tested = (RULES / "alerts_test.yaml").read_text()
    for rule in RECORDED[0]["rules"]:
        assert re.search(rf"expr: \S*{rule['record']}\b", tested), rule["record"]
        level, _, _ = rule["record"].split(":")
        grouped = re.search(r"by \(([^)]*)\)", rule["expr"])
        assert grouped
        assert set(level.split("_")) == set(grouped[1].replace(", ", "_").split("_")) - {"le"}, rule["record"]


def test_what_the_watch_finds_has_its_alert_and_none_has_two():
    found = [
        code for rule in ALERTS[0]["rules"] for code in re.findall(r'scorer_finding{code=~?"([^"]*)"}', rule["expr"])
    ]
    codes = [code for listed in found for code in listed.split("|")]
    assert sorted([*codes, "log_lag"]) == sorted(CODES)  # which is an alert on a number, that of the rows


def test_every_alert_has_its_row_on_the_page_for_the_night():
    page = (ROOT / "docs/operations.md").read_text()
    for alert in ALERTS[0]["rules"]:
        assert re.search(rf"^\| `{alert['alert']}` \|", page, re.MULTILINE), alert["alert"]


def analysis() -> list[dict[str, Any]]:
    """The metrics that judge a canary."""
    template = yaml.safe_load((DEPLOY / "kubernetes/overlays/canary/analysis.yaml").read_text())
    found: list[dict[str, Any]] = template["spec"]["metrics"]
    return found


def seconds(duration: str) -> int:
    return int(duration[:-1]) * SECONDS[duration[-1]]


@pytest.mark.parametrize("metric", analysis(), ids=[metric["name"] for metric in analysis()])
def test_a_canary_is_not_judged_by_what_was_before_it(metric):
    """Within a minute Prometheus has heard of the new pods; until then it asks the old ones under the canary's name."""
    windows = re.findall(r"\[(\d+[sm])\]", metric["provider"]["prometheus"]["query"])
    assert windows
    assert max(map(seconds, windows)) + 60 <= seconds(metric["initialDelay"])


REQUESTS = "bentoml_service_request_total"
CANARY = 'namespace="scorer", job="scorer-canary"'
STABLE = 'namespace="scorer", job="scorer"'
# Until minute 10 the pods of the former version, which erred, are those of `scorer-canary`; then the canary's, which
# declines everybody, and answers V2 and /predict alike.
SERVED = {
    f'{REQUESTS}{{{CANARY}, endpoint="/predict", http_response_code="500", pod="old"}}': "0+600x10 _x10",
    f'{REQUESTS}{{{CANARY}, endpoint="/predict", http_response_code="200", pod="old"}}': "0+600x10 _x10",
    f'{REQUESTS}{{{CANARY}, endpoint="/predict", http_response_code="200", pod="new"}}': "_x10 0+60x10",
    f'scorer_predictions_total{{{CANARY}, decision="decline", protocol="v2", pod="new"}}': "_x10 0+60x10",
    f'scorer_predictions_total{{{STABLE}, decision="decline", protocol="http", pod="old"}}': "0+60x20",
    f'scorer_predictions_total{{{STABLE}, decision="approve", protocol="http", pod="old"}}': "0+140x20",
    f'scorer_rejected_total{{{CANARY}, reason="internal_error", pod="new"}}': "_x10 0+3x10",
}
JUDGED = {"requests": 600.0, "errors": None, "faults": 6.0, "queue-p99": None, "decisions": 0.7}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_answers_the_questions_of_a_canary_from_its_first_minute_on(tmp_path):
    tests = []
    for metric in analysis():
        query = metric["provider"]["prometheus"]["query"].replace("{{args.namespace}}", "scorer")
        value = JUDGED[metric["name"]]
        samples = [] if value is None else [{"labels": "{}", "value": value}]
        first = f"{10 + seconds(metric['initialDelay']) // 60}m"
        tests.append({"expr": f"round({query}, 0.001)", "eval_time": first, "exp_samples": samples})
    series = [{"series": name, "values": values} for name, values in SERVED.items()]
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
