"""One look: the files that workers read, and who is told."""

import http.server
import json
import threading

import msgspec
import pytest

from configs.monitoring import read_monitoring
from monitoring.records.log_keys import NO_KEYS
from monitoring.report.place import INDEX
from monitoring.watch.files import FINDINGS, METRICS, monitor_folder, watched_metrics
from monitoring.watch.look import look_once


@pytest.fixture
def settings(tmp_path):
    def make(**changes):
        values = {"directory": str(tmp_path / "var"), "watch_free_bytes": 1 << 60, **changes}
        return msgspec.structs.replace(read_monitoring(), **values)

    (tmp_path / "var").mkdir()
    return make


def test_a_look_leaves_findings_and_metrics_and_tells_once(tmp_path, settings):
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        told = settings(action_webhook_endpoint=f"http://127.0.0.1:{server.server_port}")
        for _ in range(2):
            (found,) = look_once(told, NO_KEYS)
        server.shutdown()
        thread.join()
    assert [one["subject"] for message in received for one in message["data"]["firing"]] == [found.subject]
    (written,) = json.loads((monitor_folder(tmp_path / "var") / FINDINGS).read_bytes())["findings"]
    assert written["code"] == "disk"
    assert (monitor_folder(tmp_path / "var") / INDEX).exists()
    text = watched_metrics(tmp_path / "var")
    assert f'scorer_finding{{code="disk",subject="{found.subject}"}} 1' in text
    assert 'scorer_actions_delivered{destination="webhook"} 1\n' in text
    assert "scorer_watch_timestamp_seconds " in text


def test_a_destination_that_is_set_wrongly_costs_the_look_nothing_but_is_reported(tmp_path, settings, caplog):
    assert look_once(settings(action_github_repository="bank"), NO_KEYS)
    assert "nobody is told of findings" in caplog.text
    assert (monitor_folder(tmp_path / "var") / METRICS).exists()


def test_a_page_that_cannot_be_made_costs_neither_metrics_nor_findings(tmp_path, settings, caplog):
    page = monitor_folder(tmp_path / "var") / INDEX
    page.mkdir(parents=True)  # which no file can replace
    assert look_once(settings(), NO_KEYS)
    assert "the page could not be made" in caplog.text
    assert watched_metrics(tmp_path / "var")
