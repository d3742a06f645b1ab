"""Whole load tests against running services: alone, by a master with two workers, and ended early."""

import hashlib
import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from tests.conftest import ROOT, Server, apart, free_port
from tests.loadtests.conftest import Run, slo
from tests.test_make import outside_make

pytestmark = pytest.mark.shipping

KEY = "scorer_of_the_load_test"
KEYS = f"""keys:
  - name: load
    sha256: {hashlib.sha256(KEY.encode()).hexdigest()}
    permissions: [predict, read]
"""


@pytest.fixture(scope="module")
def services(trained, tmp_path_factory):
    """One that wants a key, and one that does not."""
    servers = []
    for name in ("keyed", "open"):
        home = tmp_path_factory.mktemp(name)
        (home / "keys.yaml").write_text(KEYS)
        more = {"SCORER_KEYS_FILE": str(home / "keys.yaml")} if name == "keyed" else {}
        servers.append(Server(apart(trained, home) | more, home / "serve.log"))
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def runs(load_python, services, tmp_path_factory):
    """A run with a key by one process that passes, and one by a master and two workers that misses its objectives.

    At the same time, as both mostly wait.
    """
    keyed, unkeyed = services
    folders = [tmp_path_factory.mktemp(name) for name in ("alone", "distributed")]
    common = ("--users", "20", "--slo")
    alone = Run(load_python, keyed, folders[0], *common, str(slo(folders[0])), "--run-time", "5s", SCORER_LOAD_KEY=KEY)
    # Longer by the 3 s in which workers report.
    workers = ("--run-time", "8s", "--processes", "2", "--master-port", str(free_port()))
    distributed = Run(load_python, unkeyed, folders[1], *common, str(slo(folders[1], 0.02)), *workers)
    return [(run, *run.end()) for run in (alone, distributed)]


@pytest.mark.parametrize("which", [0, 1], ids=["alone", "distributed"])
def test_the_exit_code_is_the_verdict_and_the_totals_agree(runs, which):
    run, code, printed, said = runs[which]
    assert code == which, printed + said
    verdict = ("passed", "MISSED: single p50_ms, single p95_ms, single p99_ms, ")[which]
    assert printed.splitlines()[-1].startswith(f"verdict      {verdict}")
    totals = re.search(r"^totals +pass +([\d,]+) requests sent = \1 answered \+ 0 refused;", printed, re.MULTILINE)
    assert totals, printed
    found = run.results()
    assert found["passed"] == (which == 0)
    assert found["processes"] == which + 1
    for name, measured in found["measured"].items():
        assert measured["count"]["answered"] > 0, name
    sent = found["totals"]["sent"]
    assert sent["sent"] == sent["answered"] >= 400
    assert len(found["ledger"]["cpu_s"]) == which + 1


@pytest.mark.parametrize("which", [0, 1], ids=["alone", "distributed"])
def test_a_run_prints_progress_while_it_goes_on_and_leaves_page_plot_and_figures(runs, which):
    run, _, printed, said = runs[which]
    assert re.search(r"^ +\d s +20 users +[\d,]+ requests/s  p50 .* ms  p95 .* ms$", said, re.MULTILINE), said
    assert "half from 1,000 rows of data/german_credit.csv" in said
    assert {path.name for path in (run.out / "latest").iterdir()} == {
        "index.html",
        "locust.html",
        "plot.png",
        "results.json",
    }
    assert not list(run.out.glob(".*"))
    table = printed.split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table] == ["class", "single", "batch", "v2", "grpc", "explain"]


def test_the_key_is_nowhere(runs):
    run, _, printed, said = runs[0]
    files = [path for path in run.out.parent.rglob("*") if path.is_file()]
    assert len(files) > 4
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert KEY not in printed + said


def test_without_a_key_a_protected_service_is_not_loaded(load_python, services, tmp_path):
    code, printed, said = Run(load_python, services[0], tmp_path).end()
    assert (code, printed) == (2, "")
    assert "SCORER_LOAD_KEY" in said
    assert "permissions predict and read" in said
    code, _, said = Run(load_python, services[0], tmp_path, SCORER_LOAD_KEY="scorer_wrong").end()
    assert code == 2
    assert "the key is not valid" in said
    assert "scorer_wrong" not in said


def test_a_run_that_is_ended_early_keeps_nothing_and_goes_on_nowhere(load_python, services, tmp_path):
    stopped, killed = (Run(load_python, services[1], tmp_path / name, "--run-time", "1h") for name in "ab")
    processes = [*stopped.wait_for_load(), *killed.wait_for_load()]
    assert len(processes) >= 2
    killed.process.kill()
    os.killpg(stopped.process.pid, signal.SIGINT)  # as a terminal does
    code, printed, said = stopped.end()
    assert (code, printed) == (130, "")
    assert said.endswith("load test: interrupted; nothing was judged, and nothing kept\n")
    assert not stopped.out.exists()
    killed.process.communicate()
    _, alive = psutil.wait_procs(processes, timeout=60)  # the pipe of the killed one breaks, and its locust notices
    assert alive == []
    assert not [path for path in killed.out.iterdir() if not path.name.startswith(".")]


def test_a_service_that_dies_under_the_load_is_judged_by_what_it_did(load_python, trained, tmp_path):
    server = Server(apart(trained, tmp_path), tmp_path / "serve.log")
    run = Run(load_python, server, tmp_path, "--users", "10", "--run-time", "6s", "--slo", str(slo(tmp_path)))
    run.wait_for_load()
    server.stop()
    code, printed, said = run.end()
    assert (code, "Traceback" in said) == (1, False), said
    assert (
        "totals       MISSED     what the service counted cannot be read after the load: no service answers" in printed
    )
    assert "error_rate" in printed.splitlines()[-1]
    results = run.results()
    assert sum(one["count"]["answered"] for one in results["measured"].values()) > 0
    assert sum(one["count"]["lost"] for one in results["measured"].values()) > 0


def test_nothing_to_test_is_one_message_with_the_remedy(load_python, services, tmp_path):
    port = free_port()
    code, printed, said = Run(load_python, services[1], tmp_path, "--target", f"http://127.0.0.1:{port}").end()
    assert (code, printed) == (2, "")
    assert said.startswith(f"load test: no service answers at http://127.0.0.1:{port} (")
    assert said.endswith("start it: make serve, or check TARGET\n")
    assert said.count("\n") == 1
    for options, part in (
        (("--grpc-target", f"127.0.0.1:{port}"), "nothing listens for gRPC at"),
        (("--target", f"http://{services[1].grpc}"), "no service answers at"),
        (("--processes", "2", "--master-port", str(services[1].port)), "give MASTER_PORT= another"),
    ):
        code, printed, said = Run(load_python, services[1], tmp_path, *options).end()
        assert (code, printed) == (2, ""), said
        assert part in said
        assert said.count("\n") == 1, said
    assert list(tmp_path.iterdir()) == []


def test_make_load_exits_as_the_run_does(load_python):
    command = ["make", f"PYTHON={sys.executable}", "load", f"TARGET=http://127.0.0.1:{free_port()}"]
    done = subprocess.run(command, cwd=ROOT, env=outside_make(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("load test: no service answers at ")
