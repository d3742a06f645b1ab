"""Each scenario, through the real service: it raises its findings and no others."""

import json
import os

import httpx
import pytest

from monitoring.simulation.schedule import NAMES
from tests.conftest import ROOT, Server, apart
from tests.forks import SERVICE

ROWS = 6_000
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    """The environment of a running service, and its server."""
    home = tmp_path_factory.mktemp("simulated")
    environment = apart(trained, home) | {"SCORER_WATCH_EVERY_S": "0"}
    server = Server(environment, home / "serve.log")
    yield environment, server
    server.stop()


def simulate(served, *arguments, **variables):
    environment, server = served
    return SERVICE.run(
        "monitoring", ["simulate", "--url", server.url, *arguments], ROOT, os.environ | environment | variables
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_raises_its_findings_and_no_others(served, name):
    done = simulate(served, "--scenario", name, "--rows", str(ROWS), "--seed", "1", "--json")
    result = json.loads(done.stdout)
    assert (result["missing"], result["unexpected"]) == ([], []), result["fired"]
    assert done.returncode == (3 if name != "none" else 0), done.stderr
    assert sum(window["rows"] for window in result["windows"]) == ROWS
    assert sum(window["outcomes"] for window in result["windows"]) > ROWS / 2
    begins = result["begins"]
    if name == "none":
        assert result["fired"] == []
        return
    first = min(one["window"] for one in result["fired"] if one["code"] in ("drift", "missing_values"))
    # What is there at once is found within the window in which it begins; a season comes slowly.
    assert first - begins <= (2 if name in ("seasonal", "recession") else 0)


def test_the_service_itself_has_logged_the_rows_and_kept_the_outcomes(served):
    environment, server = served
    status = SERVICE.run("monitoring", ["status", "--json"], ROOT, os.environ | environment)
    before = json.loads(status.stdout)["served"]
    simulate(served, "--rows", "600", "--seed", "7")
    status = SERVICE.run("monitoring", ["status", "--json"], ROOT, os.environ | environment)
    assert json.loads(status.stdout)["served"] == before + 600
    text = httpx.get(f"{server.url}/metrics").text
    kept = [line for line in text.splitlines() if line.startswith('scorer_outcomes_total{result="accepted"}')]
    assert float(kept[0].split()[1]) > 300
    assert 'scorer_outcomes_total{result="unknown"} 0' in text or 'result="unknown"' not in text


def test_a_service_that_is_not_there_is_told_with_what_to_do(served):
    done = simulate(served, "--url", "http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("http://127.0.0.1:9 does not answer (")
    assert done.stderr.endswith("start it, or give another --url\n")
    assert simulate(served, "--url", "here").stderr == (
        "--url here: is no address; give one such as http://127.0.0.1:3000\n"
    )


def test_a_number_of_rows_that_is_too_small_is_refused(served):
    done = simulate(served, "--rows", "599")
    assert done.returncode == 2
    assert "'599' is not a whole number of at least 600, 50 per window" in done.stderr
