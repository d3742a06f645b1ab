"""A program that answers the routes of the service, well or badly, as its version says: `good`, `failing-2`, ...

It behaves until it has passed the health gate, as a bad model does: what is wrong shows with real applicants.
"""

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GROUPS = ("young", "old")


class Model:
    """What a version answers, and what it has counted."""

    def __init__(self, version):
        self.kind = version.split("-")[0]
        self.version = version
        self.decisions, self.groups = Counter(), Counter()
        self.lock = threading.Lock()
        self.random = random.Random(1)

    def decide(self, applicant):
        """Half of all applicants are approved, whatever their group, unless something is wrong."""
        approve = self.random.random() < 0.5
        if self.kind == "collapsed":
            approve = False
        if self.kind == "unfair":  # as many are approved as by the others
            approve = self.random.random() < (0.95 if applicant["group"] == "old" else 0.05)
        with self.lock:
            decision = "approve" if approve else "decline"
            self.decisions[decision] += 1
            self.groups[applicant["group"], decision] += 1
        return decision

    def metrics(self):
        with self.lock:
            lines = ["# TYPE scorer_predictions_total counter", "# TYPE scorer_group_decisions_total counter"]
            lines[1:1] = [
                f'scorer_predictions_total{{decision="{decision}",model="m:1",protocol="http"}} {number}'
                for decision, number in self.decisions.items()
            ]
            lines += [
                f'scorer_group_decisions_total{{column="age",group="{group}",decision="{decision}"}} {number}'
                for (group, decision), number in self.groups.items()
            ]
        return "\n".join(lines) + "\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write per answer
    disable_nagle_algorithm = True
    model: Model

    def do_GET(self):
        if self.path == "/readyz":
            self.answer(503 if self.model.kind == "unready" else 200, "{}")
        elif self.path == "/model":
            self.answer(200, json.dumps({"example": {"group": "young"}}))
        elif self.path == "/metrics":
            mute = self.model.kind == "mute" and self.model.decisions.total() > 0
            self.answer(403 if self.model.kind == "secret" or mute else 200, self.model.metrics())
        else:
            self.answer(404, "{}")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        (applicant,) = body["applicants"]
        gate = str(applicant.get("application_id", "")).startswith("warm-up-")
        if self.model.kind == "broken" or (self.model.kind == "failing" and not gate):
            return self.answer(500, '{"error": {}}')
        if self.model.kind == "refusing" and not gate:
            return self.answer(422, '{"error": {}}')
        if self.model.kind == "slow" and not gate:
            time.sleep(0.4)
        if self.model.kind == "hanging" and not gate:
            threading.Event().wait()
        if self.model.kind == "dying" and not gate:
            signal.raise_signal(signal.SIGKILL)
        decision = "approve" if gate else self.model.decide(applicant)
        prediction = {"probability": 0.5, "decision": decision, "model": f"m:{self.model.version}"}
        if self.model.kind == "mumbling":
            prediction["probability"] = "likely"
        return self.answer(200, json.dumps([prediction | {"application_id": applicant.get("application_id", "")}]))

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("version")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    if options.version == "absent":
        sys.exit("no model absent:1 in the store; run: make train")
    Handler.model = Model(options.version)
    server = Server(("127.0.0.1", options.port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    main()
