"""First runs: two at once, inside a run of somebody else's, and with a store that has a champion already."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.conftest import environment, lenient_gates, workplace
from tests.forks import TRAIN
from tests.models.tables import write_hand_made
from tests.train.small import UNDRAWN
from train.__main__ import IGNORED
from train.errors import PipelineError
from train.exclusive import NAME, exclusively

TINY = {
    "network": {"layers": [4], "members": 1},
    "encoding": {"numbers": "piecewise_linear", "bins": 4},
    "training": {"steps": 6, "folds": 2, "learning_rate": 0.02},
}
# Imports, which takes seconds, and then forks: all wait for the end of the pipe, and begin at the same moment.
EXPERIMENTS = """
import os, sys
from train.tracking import experiment
begin, waiting = os.pipe()
children = []
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        os.close(waiting)
        os.read(begin, 1)
        os.write(1, f"{name} {experiment(name)}\\n".encode())
        os._exit(0)
    children.append(child)
os.close(waiting)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""
TIMEOUT_S = 500

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(900)]


def variables(home, **more):
    """The environment of a person who has set nothing: MLflow goes to var/."""
    return (
        {name: value for name, value in environment(home).items() if not name.startswith("MLFLOW_TRACKING")}
        | UNDRAWN
        | more
    )


def several(home, steps):
    """Exit code, output and errors of each `python -m train`."""
    done = [TRAIN.run("train", [str(word) for word in step], home, variables(home)) for step in steps]
    return [(one.returncode, one.stdout, one.stderr) for one in done]


def write(home, name="hand_made", seed=0):
    """Dataset, model and gates files of a small training, as arguments."""
    dataset, model = write_hand_made(home), home / f"seed{seed}.yaml"
    if name != "hand_made":
        renamed = home / f"{name}.yaml"
        renamed.write_text(dataset.read_text().replace("name: hand_made", f"name: {name}", 1))
        dataset = renamed
    model.write_text(yaml.safe_dump(TINY | {"training": TINY["training"] | {"seed": seed}}))
    return ["--dataset", dataset, "--model", model, "--gates", lenient_gates(home)]


def champion(home):
    return (home / "bentoml/models/hand_made/champion").read_text().strip()


def test_processes_that_open_an_empty_mlflow_at_once_all_find_their_experiment(tmp_path):
    command = [sys.executable, "-c", EXPERIMENTS, "one", "two", "two"]
    home = workplace(tmp_path)
    done = subprocess.run(command, cwd=home, env=variables(home), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = sorted(line.split() for line in done.stdout.splitlines())
    assert [name for name, _ in found] == ["one", "two", "two"]
    one, two, again = (number for _, number in found)
    assert two == again != one


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Two first trainings of different tables at once, each with a run of somebody else's in its environment."""
    home = workplace(tmp_path_factory.mktemp("first"))
    inherited = {"MLFLOW_RUN_ID": "0123456789abcdef0123456789abcdef", "MLFLOW_EXPERIMENT_NAME": "somebody's"}
    steps = [list(map(str, write(home, name))) for name in ("hand_made", "other")]
    TRAIN.connect()
    both = [TRAIN.begin("train", step, home, variables(home, **inherited)) for step in steps]
    done = [end() for end in both]
    return home, [(one.returncode, one.stdout, one.stderr) for one in done]


def test_two_first_trainings_at_once_both_finish_and_ignore_the_run_that_they_are_started_in(first):
    home, finished = first
    assert [code for code, _, _ in finished] == [0, 0], finished
    for (_, tag, errors), name in zip(finished, ("hand_made", "other"), strict=True):
        assert tag.startswith(f"{name}:")
        assert "the champion" in errors
        assert "MLFLOW_RUN_ID is set in the environment and is ignored" in errors
    import sqlite3

    with sqlite3.connect(home / "var/mlflow.db") as database:
        experiments = {name for (name,) in database.execute("select name from experiments")}
        runs = database.execute("select status from runs").fetchall()
    database.close()
    assert experiments == {"Default", "hand_made", "other"}
    assert runs == [("FINISHED",), ("FINISHED",)]


def test_what_bends_a_run_is_ignored_by_name_before_anything_else(tmp_path):
    home = workplace(tmp_path)
    values = dict.fromkeys(IGNORED, "1")
    command = [sys.executable, "-m", "train", "tag", "--dataset", "none.yaml"]
    done = subprocess.run(
        command, cwd=home, env=variables(home, **values), capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    errors = done.stderr
    assert done.returncode == 1
    assert re.findall(r"^(\w+) is set in the environment and is ignored: ", errors, re.MULTILINE) == list(IGNORED)
    assert errors.splitlines()[-1].startswith("error: none.yaml: no such file")


def test_the_variables_that_are_ignored_are_mlflows_own():
    from mlflow import environment_variables

    known = {getattr(environment_variables, name).name for name in dir(environment_variables) if "MLFLOW_" in name}
    assert set(IGNORED) <= known


def test_a_store_keeps_its_champion_when_mlflow_begins_anew(first, tmp_path):
    home = workplace(tmp_path / "again")
    shutil.copytree(first[0] / "bentoml", home / "bentoml")
    before = champion(home)
    second = write(home, seed=1)
    ((code, tag, errors),) = several(home, [second])
    assert code == 0, errors
    version = tag.strip().split(":")[1]
    assert version != before
    assert f"the challenger; python -m train promote {version} makes it champion" in errors
    assert champion(home) == before
    steps = [
        ["promote", version, "--why", "better", *second],
        ["rollback", "--why", "worse", *second],
        write(home),  # the old champion, registered again
        ["rollback", "--why", "worse", *second],
        ["history", *second],
    ]
    results = several(home, steps)
    assert [result[0] for result in results] == [0, 1, 0, 0, 0], results
    assert f"{before} is not in the registry" in results[1][2]
    assert "train it again" in results[1][2]
    assert champion(home) == before
    told = [line.split()[1:3] for line in results[4][1].splitlines()]
    assert told == [["adopted", before], ["promote", version], ["rollback", before]]


def test_a_lock_is_waited_for_and_a_process_that_never_ends_is_named(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    refused = pytest.raises(PipelineError, match=re.escape(f"{tmp_path / NAME}: another training has held this lock"))
    with refused, exclusively(tmp_path, wait_s=0.1):
        pass
    holder.communicate("\n")
    with exclusively(tmp_path, wait_s=0.1):
        assert (tmp_path / NAME).exists()


HOLD = """
import pathlib, sys
from train.errors import PipelineError
from train.exclusive import exclusively
with exclusively(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""
