"""The search: it goes on where it was stopped, sees the training part alone, and ends with a model file that trains."""

import contextlib
import itertools
import json
import os
import re
import signal
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import optuna
import pytest
from mlflow.entities import Run

from configs.model import ModelConfig, read_model
from tests.conftest import GERMAN_CREDIT, ROOT, environment
from tests.forks import TRAIN
from tests.models.tables import write_hand_made
from train.__main__ import _parser, main
from train.check import check
from train.console import Console
from train.errors import PipelineError
from train.evaluation.candidates import network
from train.split import split
from train.tuning.result import model_file
from train.tuning.search import Rules, study_name, tune
from train.tuning.space import around, config_at, positions
from train.tuning.study import study_in
from train.workspace import Workspace

pytestmark = pytest.mark.slow

BASE = """\
network: {layers: [8], members: 2}
training: {steps: 4, folds: 2, learning_rate: 0.02, batch_size: 128}
"""
QUICK = Rules(folds=3, repeats=2)


@dataclass(frozen=True)
class Bench:
    """A folder with a table, a model file, and a place for what a search writes."""

    home: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.home / "hand_made.yaml", self.home / "base.yaml", ROOT / "configs/gates.yaml")

    def tune(self, trials: int, out: str = "tuned.yaml", rules: Rules = QUICK) -> ModelConfig:
        return read_model(tune(self.workspace, trials, self.home / out, Console(), rules))

    def trials(self, rules: Rules = QUICK) -> list[tuple[object, ...]]:
        """What each trial drew, how it ended and what each of its folds gave."""
        name = study_name(self.workspace, rules)
        with study_in(self.home / "var/train/hand_made", name, rules.stop_below) as study:
            return [
                (trial.params, trial.state.name, trial.value, trial.intermediate_values)
                for trial in study.get_trials(deepcopy=False)
            ]

    def studies(self) -> list[str]:
        return optuna.study.get_all_study_names(f"sqlite:///{self.home}/var/train/hand_made/tune.db")


@pytest.fixture(scope="module")
def runs_uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('runs')}/mlflow.db"


@pytest.fixture
def make_bench(tmp_path, monkeypatch, runs_uri):
    """Makes a bench and goes there; the runs of all are in one store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", runs_uri)
    counter = itertools.count()

    def make(base: str = BASE) -> Bench:
        home = tmp_path / f"bench{next(counter)}"
        home.mkdir()
        write_hand_made(home, rows=160)
        (home / "base.yaml").write_text(base)
        (home / "configs").symlink_to(ROOT / "configs")
        monkeypatch.chdir(home)
        return Bench(home)

    return make


def runs_of(search: str) -> tuple[Run, list[Run]]:
    """The run of a search, and those of its trials by their number."""
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("hand_made").experiment_id
    (parent,) = client.search_runs([experiment], f"tags.search = '{search}'")
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    return parent, sorted(children, key=lambda run: int(run.data.tags["trial"]))


def search_id(home: Path) -> str:
    with contextlib.closing(sqlite3.connect(home / "var/train/hand_made/tune.db")) as database:
        ((value,),) = database.execute("select value_json from study_user_attributes where key = 'search'").fetchall()
    return str(json.loads(value))


def test_the_best_is_a_model_file_that_trains_and_every_trial_is_a_run(make_bench, capsys):
    bench = make_bench()
    best = bench.tune(8)
    trials = bench.trials()
    complete = [trial for trial in trials if trial[1] == "COMPLETE"]
    assert [trial[1] for trial in trials].count("PRUNED") + len(complete) == 8
    assert trials[0][0] == positions(around(bench.workspace.config), bench.workspace.config)

    assert {len(trial[3]) < QUICK.folds * QUICK.repeats for trial in trials if trial[1] == "PRUNED"} == {True}

    winner = max(complete, key=lambda trial: trial[2])
    assert winner[2] == pytest.approx(np.mean(list(winner[3].values())))
    expected = config_at(around(bench.workspace.config), winner[0], bench.workspace.config)
    assert (best.encoding, best.network, best.training) == (expected.encoding, expected.network, expected.training)
    table = check(bench.workspace.dataset, 1)
    probability = network(best, bench.workspace.schema, table, table)
    assert 0 < probability.min() < probability.max() < 1

    parent, children = runs_of(search_id(bench.home))
    assert (parent.info.status, parent.info.run_name) == ("FINISHED", "tune")
    assert parent.data.metrics["best_roc_auc"] == winner[2]
    assert parent.data.metrics["base_roc_auc"] == trials[0][2]
    assert [run.data.tags["state"].upper() for run in children] == [trial[1] for trial in trials]
    assert [run.data.metrics.get("roc_auc") for run in children] == [
        trial[2] if trial[1] == "COMPLETE" else None for trial in trials
    ]
    assert children[0].data.params["layers"] == "(8,)"

    told = capsys.readouterr()
    assert told.out == ""
    assert f"{winner[2]:.4f}" in told.err
    assert "in the search; judge" in told.err
    assert "Warning" not in told.err


def test_a_search_in_two_goes_is_the_search_in_one(make_bench):
    found = []
    for goes in ([12], [4, 12, 5]):  # fewer than there are: nothing is done
        bench = make_bench()
        for trials in goes:
            bench.tune(trials)
        found.append(bench.trials())
    assert len(found[0]) == 12
    assert found[0] == found[1]


def test_the_test_part_decides_nothing(make_bench):
    found = {}
    for part in ("none", "test", "training"):
        bench = make_bench()
        settings = bench.workspace.config.split
        path = Path(bench.workspace.dataset.source.path)
        rows = check(bench.workspace.dataset, 1).target
        training, test = split(rows, settings.test, settings.seed)
        lines = path.read_text(encoding="utf-8").splitlines()
        for row in {"none": [], "test": test, "training": training}[part]:
            outcome = lines[row + 1].rsplit(",", 1)[1]
            lines[row + 1] = f'spoilt,1,500,"東京",0,{row}.5,1,18,{outcome}'
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        bench.tune(3)
        found[part] = bench.trials()
    assert found["none"] == found["test"]
    assert found["none"] != found["training"]


def test_a_trial_that_fails_is_kept_and_the_search_goes_on(make_bench, capsys):
    bench = make_bench("{training: {folds: 2, learning_rate: 1, weight_decay: 1.0e+30, batch_size: 8}}")
    bench.tune(4)
    states = [trial[1] for trial in bench.trials()]
    assert states[0] == "FAIL"
    assert "COMPLETE" in states
    assert len(states) == 4
    _, children = runs_of(search_id(bench.home))
    assert (children[0].info.status, children[0].data.tags["state"]) == ("FAILED", "failed")
    assert "the loss became" in children[0].data.tags["error"]
    assert "base itself failed" in capsys.readouterr().err


def test_another_table_or_another_base_is_another_study(make_bench):
    bench = make_bench()
    bench.tune(1)
    path = Path(bench.workspace.dataset.source.path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    bench.tune(1)
    assert len(bench.studies()) == 2
    (bench.home / "base.yaml").write_text(BASE.replace("0.02", "0.01"))
    bench.tune(1)
    assert len(bench.studies()) == 3
    (bench.home / "base.yaml").write_text("description: the same\n" + BASE.replace("0.02", "0.01"))
    bench.tune(1)
    assert len(bench.studies()) == 3


def test_what_cannot_be_done_is_said_before_the_search(make_bench):
    bench = make_bench()
    with pytest.raises(PipelineError, match="the search starts from"):
        bench.tune(1, "base.yaml")
    with pytest.raises(PipelineError, match="its folder is missing"):
        bench.tune(1, "nowhere/tuned.yaml")
    with study_in(bench.home / "var/train/hand_made", "another", 0.1), pytest.raises(PipelineError, match="is running"):
        bench.tune(1)
    (bench.home / "var/train/hand_made/tune.db").write_text("no database " * 100)
    with pytest.raises(PipelineError, match="is not an Optuna database"):
        bench.tune(1)


NETWORKS = [path for path in sorted((ROOT / "configs/models").glob("*.yaml")) if not read_model(path).scorecard]


def test_a_scorecard_is_no_start_of_a_search(tmp_path):
    workspace = Workspace(GERMAN_CREDIT, ROOT / "configs/models/003_scorecard.yaml", ROOT / "configs/gates.yaml")
    with pytest.raises(PipelineError, match="a search varies networks, and this is a scorecard"):
        tune(workspace, 1, tmp_path / "tuned.yaml", Console())


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_a_model_file_is_read_back_as_it_was_meant(path, tmp_path):
    base = read_model(path)
    space = around(base)
    assert config_at(space, positions(space, base), base) == base
    last = {name: len(getattr(space, name)) - 1 for name in positions(space, base)}
    for chosen in (positions(space, base), last, dict.fromkeys(last, 0)):
        config = config_at(space, chosen, base)
        written = tmp_path / "written.yaml"
        written.write_text(model_file(config, base, path.stem, ["a test"]))
        assert read_model(written) == config


def test_make_and_the_command_line_search_alike(capsys):
    (trials,) = re.findall(r"^TRIALS = (\d+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert _parser().parse_args(["tune"]).trials == int(trials)
    with pytest.raises(SystemExit):
        main(["tune", "--trials", "0"])
    assert "'0' is not a whole number of at least 1" in capsys.readouterr().err


def command(home: Path, trials: int) -> list[str]:
    return [
        *("tune", "--dataset", str(home / "hand_made.yaml")),
        *("--model", str(home / "base.yaml"), "--trials", str(trials), "--out", str(home / "tuned.yaml")),
    ]


def caught(path: Path) -> bool:
    """Whether two trials are done, and one has so few folds that it cannot end within the next moment."""
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database,
    ):
        ((done,),) = database.execute("select count(*) from trials where state in ('COMPLETE', 'PRUNED')")
        ((folds,),) = database.execute(
            "select count(*) from trial_intermediate_values join trials using (trial_id) where state = 'RUNNING'"
        )
        return done >= 2 and folds in (1, 2)
    return False


@pytest.mark.pipeline
def test_a_killed_search_goes_on_and_repeats_nothing_that_was_done(make_bench):
    bench = make_bench()
    path, told = bench.home / "var/train/hand_made/tune.db", environment(bench.home)
    with Path(os.devnull).open() as nothing, (bench.home / "log").open("w") as log:
        process = TRAIN.start("train", command(bench.home, 1000), bench.home, told, (nothing, log, log))
        try:
            deadline = time.monotonic() + 120
            while not caught(path):
                assert process.poll() is None, (bench.home / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            process.kill()
            assert process.wait() == -signal.SIGKILL
    before = bench.trials(Rules())
    ended = [trial for trial in before if trial[1] != "RUNNING"]
    assert len(before) == len(ended) + 1

    done = TRAIN.run("train", command(bench.home, len(ended) + 2), bench.home, told)
    assert (done.returncode, done.stdout) == (0, f"{bench.home}/tuned.yaml\n"), done.stderr
    assert [word for word in ("Warning", "Traceback", "[W ", "[I ") if word in done.stderr] == []
    after = bench.trials(Rules())
    assert after[: len(ended)] == ended
    assert [trial[1] == "FAIL" for trial in after] == [False] * len(ended) + [True, False, False]
    assert after[len(ended)][0] == after[len(ended) + 1][0]  # drawn again as it was, and brought to its end
    assert read_model(bench.home / "tuned.yaml").description == "base, tuned on hand_made"

    with contextlib.closing(sqlite3.connect(bench.home / "mlflow.db")) as database:
        runs = dict(database.execute("select status, count(*) from runs group by status"))
    assert runs == {"FINISHED": 1 + len(ended) + 2, "KILLED": 1}
