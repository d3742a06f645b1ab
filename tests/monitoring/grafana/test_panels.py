"""Every panel finds data on a real Prometheus that scraped the real service behind the real HAProxy."""

import json
import time
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from benchmarks import dashboards
from benchmarks.watched import watched
from configs.monitoring import read_monitoring
from monitoring.records.log_keys import NO_KEYS
from monitoring.watch.look import look_once
from tests.conftest import ROOT, Server, apart

BOARDS = sorted((ROOT / "monitoring/grafana/dashboards").glob("*.json"))
PANELS = [(path.stem, panel) for path in BOARDS for panel in json.loads(path.read_text())["panels"]]
LONGEST_S = 240  # until every panel has data: two scrapes, a profile and a look of the watch, on a busy machine
# What Grafana puts in the place of its variables; `All` is the regular expression of the variable `model`.
VARIABLES = {"$__rate_interval": "30s", "$model": ".*"}


def expression(query: str) -> str:
    """A panel's query as Grafana sends it."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def empty(prometheus) -> list[str]:
    """The targets of panels without a series that has a number."""
    return [
        f"{board}: {panel['title']} {target['refId']}"
        for board, panel in PANELS
        for target in panel["targets"]
        if not any(series["value"][1] != "NaN" for series in prometheus.query(expression(target["expr"])))
    ]


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_S + 120)
def test_every_panel_finds_data_in_what_prometheus_has_scraped(trained, tmp_path, german_applicants):
    # The watch is this process: the service's own has what nobody else wants of the processor.
    environment = apart(trained, tmp_path) | {"SCORER_WATCH_EVERY_S": "0", "SCORER_INTERVAL_S": "0.2"}
    settings = msgspec.structs.replace(read_monitoring(), directory=environment["SCORER_DIRECTORY"])
    server = Server(environment, tmp_path / "serve.log")
    try:
        with watched(tmp_path, server.port) as (prometheus, url), httpx.Client(base_url=url, timeout=60) as client:
            deadline, first = time.monotonic() + LONGEST_S, 0
            while waiting := empty(prometheus):
                assert time.monotonic() < deadline, waiting
                some = german_applicants[first % 900 : first % 900 + 60]
                asked = [one | {"application_id": f"{first}-{number}"} for number, one in enumerate(some)]
                client.post("/predict", json={"applicants": asked}).raise_for_status()
                client.post("/predict", json={"applicants": [{}]})  # refused, which is counted
                outcomes = [
                    {
                        "application_id": one["application_id"],
                        "event": number % 3 == 0,
                        "observed_at": datetime.now(UTC).isoformat(),
                    }
                    for number, one in enumerate(asked)
                ]
                client.post("/feedback", json={"outcomes": outcomes}).raise_for_status()
                first += 60
                look_once(settings, NO_KEYS)
            # The pictures ask the same.
            dashboards.main(["--prometheus", prometheus.url, "--out", str(tmp_path / "pictures"), "--minutes", "2"])
            for path in BOARDS:
                drawn = (tmp_path / f"pictures/{path.stem}.svg").read_text()
                assert drawn.rstrip().endswith("</svg>")
    finally:
        server.stop()
