"""The real Prometheus and Alertmanager on loopback, with our rules and routes in less time, and a webhook."""

import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.conftest import ROOT, free_port
from tests.monitoring.actions.conftest import Receiver

RULES = ROOT / "monitoring/prometheus"
ROUTES = ROOT / "monitoring/alertmanager/alertmanager.yaml"
PROGRAMS = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}  # and their packages
START_S, STOP_S = 60, 30


class Told(NamedTuple):
    """What one message to the webhook says of one alert."""

    alert: str
    labels: dict[str, str]
    status: str


def rules_of(file: str) -> list[dict[str, Any]]:
    """The rules of a file."""
    (group,) = yaml.safe_load((RULES / file).read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def shortened(rules: str) -> str:
    """The rules with seconds for minutes, so that a cause is seen at once and forgotten after ten seconds."""
    rules = re.sub(r"\bfor: \d+[smh]", "for: 0s", rules)
    rules = re.sub(r"\[(?:5|15|30)m\]", "[10s]", rules)
    assert "> 900" in rules
    return rules.replace("> 900", "> 20")  # seconds without a look, which takes some on a busy machine


class Watchers:
    """Both programs, from `start` to `stop`.

    Args:
        folder: for their files.
        key: for `/metrics`.
    """

    def __init__(self, folder: Path, key: str) -> None:
        for program, package in PROGRAMS.items():
            if shutil.which(program) is None:
                pytest.fail(f"{program} is missing: apt-get install {package}, as .ci/run does")
        self._folder, self._processes = folder, list[subprocess.Popen[bytes]]()
        self.receiver = Receiver()
        self._targets = folder / "targets.json"
        (folder / "key").write_text(key)
        self._alertmanager, self._prometheus = free_port(), free_port()

    def start(self, *targets: int) -> None:
        """Begin to watch these ports of this machine."""
        self.watch(*targets)
        (self._folder / "alerts.yaml").write_text(shortened((RULES / "alerts.yaml").read_text()))
        (self._folder / "recording.yaml").write_text((RULES / "recording.yaml").read_text())
        config = yaml.safe_load((RULES / "prometheus.yaml").read_text())
        (job,) = [one for one in config["scrape_configs"] if one["job_name"] == "scorer"]
        del job["static_configs"]
        job["authorization"] = {"credentials_file": str(self._folder / "key")}
        job["file_sd_configs"] = [{"files": [str(self._targets)]}]
        config["scrape_configs"] = [job]
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(self._folder / Path(path).name) for path in config["rule_files"]]
        config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{self._alertmanager}"]}]
        (self._folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        routes = re.sub(r"url_file: [^,}]*", f"url: {self.receiver.url}/alerts", ROUTES.read_text())
        routes = re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", routes)
        (self._folder / "alertmanager.yaml").write_text(routes)
        self._run(
            "prometheus-alertmanager",
            f"--config.file={self._folder / 'alertmanager.yaml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self._alertmanager}",
            "--cluster.listen-address=",
        )
        self._run(
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._prometheus}",
            "--rules.alert.resend-delay=1s",
        )
        for port in (self._alertmanager, self._prometheus):
            self._until_ready(port)

    def watch(self, *targets: int) -> None:
        """Watch these ports from now on."""
        content = [{"targets": [f"127.0.0.1:{port}" for port in targets]}]
        temporary = self._targets.with_suffix(".new")
        temporary.write_text(json.dumps(content))
        temporary.replace(self._targets)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus answers now."""
        url = f"http://127.0.0.1:{self._prometheus}/api/v1/query?query={urllib.request.quote(expression)}"  # type: ignore[attr-defined]
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
            return found

    def messages(self) -> list[tuple[str, list[Told]]]:
        """Every message so far: its group, and what it says of each of the group's alerts."""
        found = []
        for received in list(self.receiver.received):
            sent = json.loads(received.body)
            told = [Told(one["labels"]["alertname"], one["labels"], one["status"]) for one in sent["alerts"]]
            found.append((f"{sent['receiver']} {sent['groupKey']}", told))
        return found

    def states(self) -> dict[str, str]:
        """The newest status of each alert that was ever told: `firing` while any of its series is."""
        newest: dict[tuple[str, str], str] = {}
        for _, told in self.messages():
            for one in told:
                newest[one.alert, json.dumps(one.labels, sort_keys=True)] = one.status
        found: dict[str, str] = {}
        for (alert, _), status in newest.items():
            found[alert] = "firing" if "firing" in (status, found.get(alert)) else status
        return found

    def wait(self, status: str, alerts: Sequence[str], within_s: float = 120) -> None:
        """Wait until the webhook was told so of each of these alerts."""
        deadline = time.monotonic() + within_s
        while missing := [alert for alert in alerts if self.states().get(alert) != status]:
            assert time.monotonic() < deadline, f"not {status}: {missing}; told: {self.states()}"
            time.sleep(0.2)

    def stop(self) -> None:
        """End both, and the webhook."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait(STOP_S)
        self.receiver.close()

    def _run(self, *command: str) -> None:
        with (self._folder / f"{command[0]}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder))

    def _until_ready(self, port: int) -> None:
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                return
            assert time.monotonic() < deadline, (self._folder / "prometheus.log").read_text()
            time.sleep(0.1)
