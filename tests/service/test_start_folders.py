"""The folders and the environment of a start: one line for what is missing; nothing is asked for that is not needed."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, Server, apart
from tests.service.conftest import announced, metric, refused_start

# What root may do although a mode forbids it.
WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def refused(environment: dict[str, str]) -> list[str]:
    """The lines of a start that ends by itself, without the rights of root; exit code 1."""
    done = refused_start(environment, prefix=WITHOUT_PRIVILEGES)
    assert done.returncode == 1, done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()


@pytest.fixture
def environment(trained, tmp_path):
    """With folders of its own, which can be written again afterwards."""
    yield apart(trained, tmp_path)
    for folder in tmp_path.rglob("*"):
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o755)


@pytest.mark.parametrize("folder", ["bentoml/prometheus_multiproc_dir", "var/decisions", "var"])
def test_a_folder_that_cannot_be_written_is_named_in_one_line(environment, tmp_path, folder):
    place = tmp_path / folder
    place.mkdir(parents=True)
    place.chmod(0o555)
    (line,) = refused(environment)
    assert str(place) in line
    assert "BENTOML_HOME" in line or "is not writable" in line


def test_a_bentoml_home_that_cannot_be_made_ends_a_start_and_is_named_last(environment):
    """BentoML makes it while it is imported, before any line of this project runs: a traceback, then the folder."""
    lines = refused(environment | {"BENTOML_HOME": "/proc/none"})
    assert "/proc/none" in lines[-1]


def test_a_bentoml_home_that_cannot_be_made_is_one_line_of_the_training_that_comes_before_a_start(environment):
    """`make serve` asks it first."""
    done = subprocess.run(
        [sys.executable, "-m", "train", "promote", "none", "--why", "none"],
        cwd=ROOT,
        env=environment | {"BENTOML_HOME": "/proc/none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: BENTOML_HOME is /proc/none, which cannot be used")
    assert done.returncode == 1


def test_no_folder_for_temporary_files_is_named_in_one_line(environment, tmp_path):
    """Linux has three more that are tried, so all of them are hidden from the process."""
    code = (
        "import sys, tempfile\n"
        f"tempfile._candidate_tempdir_list = lambda: [{str(tmp_path / 'none')!r}]\n"
        "sys.argv = ['bentoml', 'serve', 'service:CreditScorer', '--port', '0']\n"
        "from bentoml_cli.cli import cli\n"
        "cli()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert "No usable temporary directory" in line
    assert "TMPDIR" in line


def test_a_bentoml_home_that_cannot_be_written_serves_when_nothing_has_to_be_written_there(environment, tmp_path):
    """A store on a read-only disk, as in an image: the metrics then take a temporary folder."""
    for name in ("bentos", "envs", "tmp"):
        (tmp_path / "bentoml" / name).mkdir()
    (tmp_path / "bentoml").chmod(0o555)
    with serving(environment, tmp_path, WITHOUT_PRIVILEGES) as server:
        assert announced(server)


@contextlib.contextmanager
def serving(environment: dict[str, str], home: Path, prefix: list[str]):
    """A service that is started by way of another program."""
    wrapper = home / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join([*prefix, sys.executable])} "$@"\n')
    wrapper.chmod(0o755)
    server = Server(environment, home / "serve.log", python=str(wrapper))
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


def test_services_that_share_a_home_count_apart_and_leave_no_folder(serve, trained, tmp_path):
    """BentoML empties the folder of the metrics there at each start."""
    (tmp_path / "tmp").mkdir()
    counter = "scorer_predictions_total"
    first = serve(trained)
    with httpx.Client(base_url=first.url) as client:
        applicant = client.get("/model").json()["example"]
        assert client.post("/predict", json={"applicants": [applicant]}).status_code == 200
        second = serve(trained, SCORER_DIRECTORY=str(tmp_path / "other"), TMPDIR=str(tmp_path / "tmp"))
        with httpx.Client(base_url=second.url) as other:
            assert other.post("/predict", json={"applicants": [applicant] * 2}).status_code == 200
            assert (metric(client, counter), metric(other, counter)) == (1, 2)
    assert second.stop() == 0
    assert list((tmp_path / "tmp").glob("credit-scorer-metrics-*")) == []


def test_a_user_without_a_name_and_without_a_home_serves(environment, tmp_path):
    """As in a container that is started with any uid; and where standard output takes ASCII alone."""
    unknown = ["unshare", "--user", "--map-user=4242", "--map-group=4242"]
    if not shutil.which("unshare") or subprocess.run([*unknown, "true"], check=False).returncode:
        pytest.skip("NOT TESTED: a user without a name. This machine lets nobody make a user namespace")
    bare = {name: value for name, value in environment.items() if name not in ("HOME", "USER", "LOGNAME")}
    bare |= {"PYTHONIOENCODING": "ascii", "TMPDIR": tempfile.mkdtemp(dir=tmp_path)}
    with serving(bare, tmp_path, unknown) as server:
        assert announced(server)
