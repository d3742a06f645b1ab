"""Each alert is caused on the real service, reaches a webhook by the real Prometheus and Alertmanager, once, and ends.

The play is acted once, by `play`, in a few scenes that cause several alerts each; then every rule of the file is asked
for its messages. Rules wait seconds instead of minutes; nothing else about them is changed (`watchers`).
"""

import contextlib
import hashlib
import itertools
import json
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest

from monitoring.profiles.windows import profile_path
from monitoring.records.segments import segments
from tests.conftest import Server, free_port
from tests.monitoring.actions.conftest import Receiver
from tests.monitoring.prometheus.watchers import Told, Watchers, rules_of
from tests.monitoring.scheduling import hurry

KEY = "scorer_1"
GOLDEN = 0.6180339887  # its multiples, less whole numbers, are spread evenly over 0 to 1
ALERTS = {rule["alert"]: rule["labels"]["severity"] for rule in rules_of("alerts.yaml")}
RECORDED = [rule["record"] for rule in rules_of("recording.yaml")]


class Played(NamedTuple):
    """What was told until all alerts had ended, and which series were recorded."""

    messages: list[tuple[str, list[Told]]]
    states: dict[str, str]
    recorded: list[str]


class Stage:
    """A service with what the scenes need.

    Args:
        model: that is served, from a copy of its store.
        home: for all that it leaves.
        port: of HTTP.
        settings: in its environment.
    """

    def __init__(self, model, home: Path, port: int, **settings: str) -> None:
        home.mkdir()
        name, version = model.tag.split(":")
        self.artifact = home / "bentoml/models" / name / version
        shutil.copytree(model.folder, self.artifact)
        self.directory, self.keys, self.tag = home / "var", home / "keys.yaml", model.tag
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        self.keys.write_text(
            f"keys:\n  - name: all\n    sha256: {digest}\n    permissions: [predict, read, feedback]\n"
        )
        environment = model.environment | {
            "BENTOML_HOME": str(home / "bentoml"),
            "SCORER_DIRECTORY": str(self.directory),
            "SCORER_KEYS_FILE": str(self.keys),
            "SCORER_KEYS_WITHOUT_TLS": "true",
            "SCORER_LEAST_WINDOW_ROWS": "1",
            "SCORER_WATCH_EVERY_S": "2",
            "SCORER_WATCH_FREE_BYTES": "0",
        }
        self.server = Server(environment | settings, home / "serve.log", ports=(port, free_port()))
        for module in ("monitoring.watch.process", "monitoring.profiles.process"):
            hurry(self.process(module).pid)
        self.client = httpx.Client(base_url=self.server.url, timeout=60, headers={"authorization": f"Bearer {KEY}"})

    def score(self, applicants, first_id: int | None = None) -> httpx.Response:
        if first_id is not None:
            applicants = [one | {"application_id": f"A-{first_id + i}"} for i, one in enumerate(applicants)]
        return self.client.post("/predict", json={"applicants": applicants})

    def process(self, module: str) -> psutil.Process:
        (found,) = [
            process
            for process in psutil.Process(self.server.process.pid).children(recursive=True)
            if module in process.cmdline()
        ]
        return found

    @contextlib.contextmanager
    def stopped(self, module: str) -> Iterator[None]:
        process = self.process(module)
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.client.close()
        self.server.stop()


def cause(watchers, names, act, within_s=120.0):
    """Act until the webhook was told of each of these alerts: a rate needs more than one sample."""
    deadline, told = time.monotonic() + within_s, set()
    while missing := set(names) - told:
        assert time.monotonic() < deadline, f"not fired: {missing}"
        act()
        time.sleep(0.5)  # of the time that the rates are over
        told |= {name for name, status in watchers.states().items() if status == "firing"}


@pytest.fixture(scope="module")
def play(trained, german_applicants, tmp_path_factory) -> Played:
    folder = tmp_path_factory.mktemp("alerts")
    ports = free_port(), free_port(), free_port()
    with contextlib.ExitStack() as ends:
        hook = Receiver()
        ends.callback(hook.close)
        hook.answers = [(429, {"Retry-After": "1"})] * 1000
        watchers = Watchers(folder, KEY)
        ends.callback(watchers.stop)

        watchers.start(ports[0])
        watchers.wait("firing", ["ScorerAllDown"])  # nobody is there yet
        stage = Stage(
            trained,
            folder / "first",
            ports[0],
            SCORER_MAX_BATCH_ROWS="2",  # so that rows of one request wait for each other
            SCORER_TIMEOUT_S="2",
            SCORER_MAX_ROWS="10000",
            SCORER_WATCH_PROFILE_LAG_S="10",
            SCORER_ACTION_WEBHOOK_ENDPOINT=hook.url,
            SCORER_ACTION_REPEAT_S="0",
        )
        ends.callback(stage.close)
        watchers.wait("resolved", ["ScorerAllDown"])

        callers(watchers, stage, hook, german_applicants, ports)
        files(watchers, stage, german_applicants)
        outages(watchers, stage, german_applicants)
        truths(watchers, stage, german_applicants)
        other = Stage(
            trained,
            folder / "second",
            ports[1],
            SCORER_WHEN_LOG_FAILS="score",
            SCORER_WATCH_FREE_BYTES=str(1 << 40),
            SCORER_WATCH_NO_TRAFFIC_S="2",
        )
        ends.callback(other.close)
        another_instance(watchers, other, german_applicants, ports)
        watchers.wait("resolved", ALERTS)
        recorded = [name for name in RECORDED if watchers.query(f"last_over_time({name}[1h])")]
        return Played(watchers.messages(), watchers.states(), recorded)


def callers(watchers, stage, hook, applicants, ports) -> None:
    """What clients do and see; a key file that cannot be read; a webhook that takes nothing; one instance of two."""
    (declined, *_) = (one for one in applicants if stage.score([one]).json()[0]["decision"] == "decline")
    cause(watchers, ["ScorerDecisionsCollapsed"], lambda: (stage.score([declined] * 600), time.sleep(3)))
    watchers.watch(ports[0], ports[2])
    card = stage.artifact / "model_card.html"
    kept = card.read_bytes()
    card.unlink()
    keys = stage.keys.read_text()
    stage.keys.write_text(keys[:-30])
    names = ["ScorerDown", "ScorerRefusesCallers", "ScorerTimeouts", "ScorerFaults", "ScorerSlow", "ScorerDrift"]
    names += ["ScorerKeysFileBroken", "ScorerFindingsNotSent"]

    def act():
        for _ in range(10):
            assert stage.client.post("/predict", json={"applicants": [{}]}).status_code == 422
        for _ in range(3):  # each ends its connection
            answer = httpx.get(f"{stage.server.url}/model/card", headers=stage.client.headers, timeout=60)
            assert answer.status_code == 500
        for _ in range(3):  # a head that never ends
            connection = ends.enter_context(socket.create_connection(("127.0.0.1", ports[0])))
            connection.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\n")
        burst(stage, applicants[:100])

    with contextlib.ExitStack() as ends:
        cause(watchers, names, act)
    card.write_bytes(kept)
    stage.keys.write_text(keys)
    hook.answers = []
    watchers.watch(ports[0])
    deadline = time.monotonic() + 240
    while watchers.states()["ScorerDrift"] == "firing":  # until the applicants of the day are those of the table again
        assert time.monotonic() < deadline
        for _ in range(10):
            assert stage.score(applicants).status_code == 200
        time.sleep(0.5)
    watchers.wait("resolved", [*names, "ScorerDecisionsCollapsed"])


def burst(stage, applicants, requests: int = 120) -> None:
    """Requests that all have arrived when the worker looks, so that the last ones wait for the others."""
    body = json.dumps({"applicants": applicants}).encode()
    head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}"
    with contextlib.ExitStack() as ends:
        address = ("127.0.0.1", stage.server.port)
        connections = [ends.enter_context(socket.create_connection(address)) for _ in range(requests)]
        with stage.stopped("_bentoml_impl.worker.service"):
            for connection in connections:
                connection.sendall(f"{head}\r\ncontent-type: application/json\r\n\r\n".encode() + body)
        for connection in connections:
            assert connection.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 503")


def files(watchers, stage, applicants) -> None:
    """A profiler that stands still, a damaged log, a profile that is none, a model of long ago."""
    manifest = stage.directory / "models" / stage.tag.replace(":", "/") / "manifest.json"
    described = manifest.read_bytes()
    old = json.loads(described) | {"trained_at": "2020-01-01T00:00:00+00:00"}
    foreign = profile_path(stage.directory / "profiles", "other:1", datetime.now(UTC))
    names = ["ScorerProfilesStopped", "ScorerProfileLag", "ScorerLogLag", "ScorerStaleModel", "ScorerNotWatched"]
    with stage.stopped("monitoring.profiles.process"):
        (log,) = segments(stage.directory)
        before = log.stat().st_size
        assert stage.score(applicants[:2]).status_code == 200
        with log.open("r+b") as file:
            file.seek(before + 20)
            byte = file.read(1)
            file.seek(before + 20)
            file.write(bytes([byte[0] ^ 1]))
        manifest.write_text(json.dumps(old))
        foreign.parent.mkdir(parents=True)
        foreign.write_bytes(b"none")

        def act():
            assert stage.score(applicants[:2]).status_code == 200

        cause(watchers, names, act)
        with log.open("r+b") as file:
            file.seek(before + 20)
            file.write(byte)
        manifest.write_bytes(described)
        shutil.rmtree(foreign.parent.parent)
    watchers.wait("resolved", names)


def outages(watchers, stage, applicants) -> None:
    """A log that cannot be written, and then a watch that stands still."""
    folder, aside = stage.directory / "decisions", stage.directory / "aside"
    folder.rename(aside)
    folder.write_text("in the way")

    def act():
        for _ in range(5):
            stage.score(applicants[:1])

    cause(watchers, ["ScorerErrors", "ScorerOverloaded"], act)
    folder.unlink()
    aside.rename(folder)
    with stage.stopped("monitoring.watch.process"):
        watchers.wait("firing", ["ScorerWatchStopped"])
    watchers.wait("resolved", ["ScorerErrors", "ScorerOverloaded", "ScorerWatchStopped"])


def truths(watchers, stage, applicants) -> None:
    """Outcomes that are the opposite of what was expected, and then corrected ones."""
    found = stage.score(applicants, first_id=0).json()

    def report(event) -> dict[str, int]:
        time.sleep(1.1)  # a correction is observed later than what it corrects, and nothing in the future
        seen = datetime.now(UTC).isoformat()
        outcomes = [
            {"application_id": one["application_id"], "event": event(one["probability"], index), "observed_at": seen}
            for index, one in enumerate(found)
        ]
        answer = stage.client.post("/feedback", json={"outcomes": outcomes})
        assert answer.status_code == 200, answer.text
        counted: dict[str, int] = answer.json()
        return counted

    report(lambda probability, _: probability < 0.2)
    watchers.wait("firing", ["ScorerPerformance"])
    assert report(lambda probability, index: probability > index * GOLDEN % 1)["corrected"] > 0
    watchers.wait("resolved", ["ScorerPerformance"])


def another_instance(watchers, stage, applicants, ports) -> None:
    """One that answers without a record, on a disk that is too small for it, and is not called."""
    watchers.watch(*ports[:2])
    assert stage.score(applicants[:1]).status_code == 200
    watchers.wait("firing", ["ScorerDisk", "ScorerNoTraffic"])
    folder = stage.directory / "decisions"
    shutil.rmtree(folder)
    folder.write_text("in the way")
    cause(watchers, ["ScorerUnlogged"], lambda: stage.score(applicants[:1]))
    folder.unlink()
    watchers.watch(ports[0])
    watchers.wait("resolved", ["ScorerUnlogged", "ScorerDisk", "ScorerNoTraffic"])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_reaches_the_webhook_once_and_ends(play, alert):
    assert play.states[alert] == "resolved"
    receiver = "pages" if ALERTS[alert] == "page" else "tickets"
    said: dict[str, list[list[tuple[str, str]]]] = {}
    for group, told in play.messages:
        if told[0].alert == alert:
            assert group.startswith(receiver)
            said.setdefault(group, []).append(sorted((json.dumps(one.labels), one.status) for one in told))
    assert said
    for messages in said.values():
        assert all(before != after for before, after in itertools.pairwise(messages)), "told twice"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_is_recorded_is_recorded_of_the_real_service(play):
    assert play.recorded == RECORDED
