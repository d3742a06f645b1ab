"""Clients that nobody here wrote, as they come: the JDK's, which offers HTTP/2 with each request, and curl's offer."""

import contextlib
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

CLIENT = Path(__file__).with_name("clients") / "Client.java"
MODEL = "german_credit"


class Relay:
    """Passes connections on to a port, and counts them."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = [self._listening]
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def _begin(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                caller, _ = self._listening.accept()
                self.connections += 1
                service = socket.create_connection(("127.0.0.1", self._to))
                self._open += [caller, service]
                self._begin(self._copy, caller, service)
                self._begin(self._copy, service, caller)

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := one.recv(65536):
                other.sendall(part)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End all connections, and take no more."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        for one in self._open:
            one.close()


@pytest.fixture
def relay(service):
    """In front of the service."""
    relay = Relay(service.port)
    yield relay
    relay.close()


@pytest.fixture(scope="module")
def bodies(client, example, routes, trained):
    """A body for every route that takes a POST."""
    applicant = {**example, "application_id": "private-java"}
    tensors = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in applicant.items()
    ]
    infer = {"inputs": tensors}
    version = trained.tag.split(":")[1]
    made = {
        "/predict": {"applicants": [applicant]},
        "/explain": {"applicants": [applicant]},
        "/feedback": {
            "outcomes": [{"application_id": "private-java", "event": True, "observed_at": "2026-11-25T12:00:00Z"}]
        },
        f"/v2/models/{MODEL}/infer": infer,
        f"/v2/models/{MODEL}/versions/{version}/infer": infer,
        "/v2/repository/index": {},
    }
    client.post("/feedback", json=made["/feedback"])  # so that every answer says that it is known
    assert made.keys() == {path for path, methods in routes.items() if "POST" in methods}
    return made


@pytest.mark.parametrize("version", ["HTTP_2", "HTTP_1_1"])
def test_the_client_of_the_jdk_gets_the_answers_of_every_route_on_one_connection(
    client, relay, bodies, tmp_path, version
):
    if not shutil.which("javac"):
        pytest.skip(
            "NOT TESTED: Java's HTTP client. There is no JDK here; run: apt-get install openjdk-17-jdk-headless"
        )
    arguments = []
    for number, (path, body) in enumerate(bodies.items()):
        (tmp_path / f"{number}.json").write_text(json.dumps(body))
        arguments += [path, str(tmp_path / f"{number}.json")]
    command = ["java", "-XX:TieredStopAtLevel=1", str(CLIENT), f"http://127.0.0.1:{relay.port}", version, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(path, way) for path, way, *_ in lines] == [
        (path, way) for path in bodies for way in ("length", "chunks", "length")
    ]
    expected = {path: client.post(path, json=body).json() for path, body in bodies.items()}
    for path, way, spoken, status, body in lines:
        assert (spoken, status) == ("HTTP_1_1", "200"), (path, way, body)
        assert json.loads(body) == expected[path], (path, way)
    assert relay.connections == 1, "the connection goes on after every answer"


@pytest.mark.parametrize(
    "options", [["--http2"], ["--http1.1"], ["--http1.0"], ["--http2", "-H", "Expect: 100-continue"]]
)
def test_curl_gets_the_same_value_whatever_it_offers(client, service, bodies, options):
    for path in ("/predict", f"/v2/models/{MODEL}/infer"):
        command = ["curl", "-s", "-m", "30", *options, f"{service.url}{path}", "-d", json.dumps(bodies[path])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == client.post(path, json=bodies[path]).json()
