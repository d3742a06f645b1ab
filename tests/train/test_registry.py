"""The registry with five versions: promoted, rolled back, told, and followed by the service."""

import json
import subprocess
import sys

import httpx
import pytest
import yaml

from tests.conftest import Trained, environment, lenient_gates, run_training, workplace
from tests.models.tables import write_hand_made

SMALL = {
    "network": {"layers": [4], "members": 2},
    "encoding": {"numbers": "piecewise_linear", "bins": 4},
    "training": {"epochs": 2, "folds": 2, "learning_rate": 0.02},
}
FIVE = """
import json, sys
from train.__main__ import main
for arguments in json.loads(sys.argv[1]):
    if main(arguments):
        sys.exit(1)
"""
VERSIONS = range(5)

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A place with five versions of one model, and their versions in the order in which they were published."""
    home = workplace(tmp_path_factory.mktemp("registry"))
    dataset, gates = write_hand_made(home), lenient_gates(home)
    jobs = []
    for seed in VERSIONS:
        model = home / f"seed{seed}.yaml"
        model.write_text(yaml.safe_dump(SMALL | {"training": SMALL["training"] | {"seed": seed}}))
        jobs.append(["--dataset", str(dataset), "--model", str(model), "--gates", str(gates)])
    done = subprocess.run(
        [sys.executable, "-c", FIVE, json.dumps(jobs)],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return home, [tag.split(":")[1] for tag in done.stdout.split()]


@pytest.fixture
def command(registry):
    """`command("promote", …)` as a person types it: exit code, standard output, standard error."""
    home, _ = registry

    def run(*arguments, gates=None):
        more = ("--gates", str(gates)) if gates else ("--gates", str(home / "gates.yaml"))
        done = run_training(home, home / "hand_made.yaml", home / "seed0.yaml", *arguments, *more)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def champion(home):
    return (home / "bentoml/models/hand_made/champion").read_text().strip()


def test_promotions_and_rollbacks_are_told_in_order_and_followed(registry, command, serve):
    home, versions = registry
    assert champion(home) == versions[0], "the first to pass the gates"

    assert command("promote", versions[2], "--by", "Ana", "--why", "better on new applicants")[0] == 0
    assert command("promote", versions[4][:10], "--by", "Bo", "--why", "simpler")[0] == 0
    assert champion(home) == versions[4]
    assert command("rollback", "--by", "Ana", "--why", "complaints")[0] == 0
    assert champion(home) == versions[2]
    code, told, _ = command("history")
    assert code == 0
    lines = told.splitlines()
    assert [line.split()[1:3] for line in lines] == [
        ["first", versions[0]],
        ["promote", versions[2]],
        ["promote", versions[4]],
        ["rollback", versions[2]],
    ]
    assert f"instead of {versions[2]}  by Bo: simpler" in lines[2]
    assert all("gates" in line and "run " in line for line in lines)

    follows = Trained("hand_made:champion", home, environment(home) | {"SCORER_MODEL": "hand_made:champion"})
    service = serve(follows)
    assert httpx.get(f"{service.url}/model").json()["version"] == versions[2]
    service.stop()
    assert command("rollback", "--by", "Ana", "--why", "still complaints")[0] == 0
    assert httpx.get(f"{serve(follows).url}/model").json()["version"] == versions[0]

    code, _, said = command("rollback", "--why", "once more")
    assert code == 1
    assert "has no previous champion to roll back to" in said


@pytest.mark.parametrize(
    ("version", "fault"),
    [("0000", "is not in the BentoML store; it has "), ("", "is not in the BentoML store"), ("champion", "is not in")],
)
def test_a_version_that_is_not_there_cannot_be_promoted(registry, command, version, fault):
    before = champion(registry[0])
    code, _, said = command("promote", version, "--why", "a reason")
    assert (code, champion(registry[0])) == (1, before)
    assert fault in said


def test_only_approvers_may_promote_where_there_are_some(registry, command, tmp_path):
    home, versions = registry
    before = champion(home)
    gates = lenient_gates(tmp_path, approvers=["Chair of the model risk committee"])
    code, _, said = command("promote", versions[3], "--by", "Ana", "--why", "mine", gates=gates)
    assert (code, champion(home)) == (1, before)
    assert "--by must be one of: Chair of the model risk committee" in said
    approved = ("promote", versions[3], "--by", "Chair of the model risk committee", "--why", "minutes of 21 November")
    assert command(*approved, gates=gates)[0] == 0
    assert champion(home) == versions[3]


def test_a_promotion_needs_a_reason(command):
    code, _, said = command("promote", "00")
    assert code == 2
    assert "--why" in said


def test_store_and_registry_are_linked_both_ways(registry):
    import sqlite3

    home, versions = registry
    with sqlite3.connect(home / "mlflow.db") as database:
        tags = database.execute("select version, value from model_version_tags where key = 'bentoml'").fetchall()
    database.close()
    assert {value for _, value in tags} == {f"hand_made:{version}" for version in versions}
    for number, tag in tags:
        labels = yaml.safe_load((home / "bentoml/models" / tag.replace(":", "/") / "model.yaml").read_text())["labels"]
        assert labels["mlflow_version"] == str(number)
