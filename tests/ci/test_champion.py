"""`.ci/champion` and `.ci/propose`: a training on a runner is judged by a champion, and says where there is none."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ci.test_scripts import program
from tests.conftest import ROOT
from tests.forking_environment import forking_environment
from tests.forks import SERVICE

LINKED = (
    "requirements",
    "serving",
    "deploy",
    "signatures",
    "configs",
    "models",
    "monitoring",
    "train",
    "data",
)
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@t.invalid"]


@pytest.fixture(scope="module")
def archive(trained, tmp_path_factory):
    """The archive of the trained model, as a release has it."""
    file = tmp_path_factory.mktemp("archive") / "model.bentomodel"
    assert not SERVICE.run(
        "bentoml", ["models", "export", trained.tag, str(file)], ROOT, trained.environment
    ).returncode
    return file


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with what the scripts need, whose dvc.lock has changed since its commit."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copytree(ROOT / ".ci", folder / ".ci", ignore=shutil.ignore_patterns("node"))
    forking_environment(folder / ".venv")
    for name in (*LINKED, "Makefile"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".gitignore").write_text(".venv\nvar\nbin\n")
    (folder / "dvc.lock").write_text("before\n")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "state"]):
        subprocess.run([*GIT, "-C", str(folder), *command], check=True)
    (folder / "dvc.lock").write_text("after\n")
    return folder


def run(checkout: Path, script: str, gh: str = "exit 1", **environment: str) -> subprocess.CompletedProcess[str]:
    """A script, on a machine whose store is empty unless another is given."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GH_", "GITHUB_"))}
    own |= {"BENTOML_HOME": str(checkout.parent / "store"), "GITHUB_REPOSITORY": "o/r"}
    own |= program(checkout / "bin", "gh", gh) | environment
    return subprocess.run(
        [checkout / script], cwd=checkout, env=own, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_champion_of_the_last_release_is_what_a_training_is_judged_by(checkout, archive, trained):
    done = run(checkout, ".ci/champion", f'for last; do :; done; cp "{archive}" "$last"', GH_TOKEN="t")
    assert done.returncode == 0, done.stderr
    assert (checkout / "var/ci/champion").read_text() == f"{trained.tag}\n"
    assert f"The champion is `{trained.tag}`, of the last release." in (checkout / "var/ci/champion.md").read_text()
    asked = (checkout / "bin/gh.log").read_text()
    assert asked.startswith("release download --repo o/r --pattern model.bentomodel --output ")
    again = run(checkout, ".ci/champion")  # it is in the store
    assert (again.returncode, "of the store" in again.stdout) == (0, True), again.stderr


def test_a_training_without_a_champion_says_so_in_its_proposal_and_that_ci_will_not_start(checkout, trained):
    done = run(checkout, ".ci/champion", "echo 'release not found' >&2; exit 1", GH_TOKEN="t", GITHUB_ACTIONS="true")
    assert done.returncode == 0, done.stderr
    assert "::warning title=No champion::" in done.stdout
    own = trained.environment | {"GH_TOKEN": ""}
    proposed = run(checkout, ".ci/propose", **own)
    assert proposed.returncode == 0, proposed.stderr
    assert "**There was no champion to judge this model by**: no MODEL_ARCHIVE names one, and no release has" in (
        proposed.stdout
    )
    assert "**CI does not start by itself here**" in proposed.stdout
    subprocess.run([*GIT, "-C", str(checkout), "switch", "--quiet", "--detach", "HEAD^"], check=True)
    (checkout / "dvc.lock").write_text("after\n")
    assert "CI does not start" not in run(checkout, ".ci/propose", **own, STARTS_CI="true").stdout


def test_a_proposal_shows_both_models_and_says_that_no_gate_has_compared_them_where_none_has(checkout, trained):
    models = checkout.parent / "store/models/german_credit"
    shutil.copytree(trained.folder.parent, models)
    shutil.copytree(models / trained.folder.name, models / "00ff")
    described = models / "00ff/model.yaml"
    described.write_text(described.read_text().replace(trained.folder.name, "00ff"))
    (checkout / "var/ci").mkdir(parents=True)
    (checkout / "var/ci/champion").write_text("german_credit:00ff\n")
    (checkout / "var/ci/champion.md").write_text("The champion is `german_credit:00ff`, of the last release.\n")
    judgement = checkout / "var/train/german_credit/001_production/judgement.json"
    judgement.parent.mkdir(parents=True)
    judgement.write_text('{"verdicts": [{"gate": "ONNX parity", "status": "pass"}]}')
    done = run(checkout, ".ci/propose", GH_TOKEN="")
    assert done.returncode == 0, done.stderr
    told = "**No gate compared them**: that champion was not in the store; see the table below."
    assert f"of the last release.\n\n{told}\n\n" in done.stdout
    assert "The champion (base) and this model (here), each on the test part of its own table:" in done.stdout
    assert "Judged by the champion" not in done.stdout


@pytest.mark.parametrize(("event", "warned"), [("repository_dispatch", True), ("schedule", False)])
def test_who_has_asked_for_a_training_hears_that_it_gave_nothing_new(checkout, trained, event, warned):
    (checkout / "dvc.lock").write_text("before\n")
    done = run(checkout, ".ci/propose", **trained.environment | {"GITHUB_EVENT_NAME": event})
    assert (done.returncode, done.stdout.startswith(f"nothing to propose: {trained.tag}")) == (0, True), done.stderr
    assert ("::warning title=Nothing to propose::" in done.stdout) is warned


def test_a_repository_that_lets_no_job_open_a_pull_request_is_told_where_to_allow_it(checkout, trained):
    bare = checkout.parent / "o/r"
    subprocess.run(["git", "init", "--quiet", "--bare", str(bare)], check=True)
    elsewhere = {name: value for name, value in trained.environment.items() if name != "PATH"}
    elsewhere |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{checkout.parent}/.insteadOf"}
    elsewhere |= {"GIT_CONFIG_VALUE_0": "https://github.com/", "GH_TOKEN": "t", "GITHUB_REPOSITORY": "o/r"}
    refused = "GraphQL: GitHub Actions is not permitted to create or approve pull requests (createPullRequest)"
    done = run(checkout, ".ci/propose", f"echo '{refused}' >&2; exit 1", **elsewhere)
    assert done.returncode == 1
    assert refused in done.stderr
    assert '"Allow GitHub Actions to create and approve pull requests"), or set the secret PROPOSAL' in done.stdout
    branches = subprocess.run(["git", "-C", str(bare), "branch"], capture_output=True, text=True, check=True).stdout
    assert f"retrain/{trained.tag.replace(':', '-')}" in branches


def test_a_release_that_cannot_be_asked_is_no_release_without_a_model(checkout):
    done = run(checkout, ".ci/champion", "echo 'HTTP 502' >&2; exit 1", GH_TOKEN="t")
    assert (done.returncode, "HTTP 502" in done.stderr) == (1, True)
    assert not (checkout / "var/ci/champion.md").exists()
