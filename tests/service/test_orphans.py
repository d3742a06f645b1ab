"""Nothing of a service outlives `bentoml serve`, however that ends, and the next start finds everything free."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil

from tests.conftest import ROOT, Server, apart, free_port
from tests.service.conftest import until


def ended(processes: list[psutil.Process]) -> bool:
    """Whether none of them is left."""
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def ask(server: Server, example: dict) -> str:
    body = json.dumps({"applicants": [example]}).encode()
    return json.loads(urllib.request.urlopen(f"{server.url}/predict", data=body, timeout=20).read())[0]["decision"]


def test_workers_and_profiler_end_when_their_parent_is_killed_and_the_next_start_has_its_ports(trained, tmp_path):
    """With a connection that is kept open, one in the middle of a request, and a call over gRPC before."""
    workers = 2
    environment, ports = apart(trained, tmp_path), (free_port(), free_port())
    server = Server(environment, tmp_path / "first.log", workers, ports=ports)
    example = json.loads(urllib.request.urlopen(f"{server.url}/model", timeout=20).read())["example"]
    decision = ask(server, example)
    main = psutil.Process(server.process.pid)
    until(
        lambda: len(main.children(recursive=True)) >= workers + 1
    )  # one worker may be ready before the profiler is there
    children = main.children(recursive=True)
    with contextlib.ExitStack() as open_connections:
        for sent in (b"", b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"):
            one = open_connections.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            one.sendall(sent)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        # Not a fork, which would be there before the workers have noticed, in less time than Python takes to start.
        again = Server(environment, tmp_path / "second.log", workers, ports=ports, forked=False)
        open_connections.callback(again.stop)
        assert ask(again, example) == decision
        open_connections.callback(server.stop)
    until(lambda: ended(children), within_s=40)
    said = (tmp_path / "first.log").read_text()
    assert said.count("the process that started this worker is gone, so it ends") == workers
    assert "Traceback" not in said + (tmp_path / "second.log").read_text()


def test_workers_whose_parent_ends_while_they_start_end_too(trained, tmp_path):
    variables = apart(trained, tmp_path) | {"SCORER_WORKERS": "2"}
    command = [sys.executable, "-m", "bentoml", "serve", "service:CreditScorer", "--port", str(free_port())]
    with (tmp_path / "serve.log").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output)
    try:
        main = psutil.Process(process.pid)
        until(lambda: len(main.children()) == 2, within_s=30)
    finally:
        process.kill()
        orphans = main.children(recursive=True)
        process.wait()
    until(lambda: ended(orphans), within_s=40)


def test_the_pipe_is_of_the_parent_alone(service):
    """Otherwise its end would never come: no child may hold the end that could be written to."""
    main = psutil.Process(service.process.pid)
    (worker,) = main.children()

    def writable_pipes(pid: int) -> set[str]:
        found = set()
        for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
            target = Path(f"/proc/{pid}/fd/{entry.name}").readlink()
            flags = int(entry.read_text().split("flags:")[1].split()[0], 8)
            if str(target).startswith("pipe:") and flags & 1:
                found.add(str(target))
        return found

    pipe = str(Path(f"/proc/{worker.pid}/fd/{worker.environ()['CREDIT_SCORER_PARENT_PIPE']}").readlink())
    assert pipe in writable_pipes(main.pid)
    for child in main.children(recursive=True):
        assert pipe not in writable_pipes(child.pid)
