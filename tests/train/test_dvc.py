"""The pipeline as DVC runs it, in fresh clones: what runs again, what is shown, and how data travel."""

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pathspec
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.conftest import ROOT, environment
from tests.models.tables import write_hand_made
from tests.train.small import LENIENT, SMALL

STAGES = ["check", "split", "fit", "export", "evaluate", "gate", "publish"]
AFTER_SPLIT = STAGES[2:]
DELIVERED = "data/applications.csv"
MADE = "var/train/hand_made/small"
FIGURES = "calibration confusion cost gain learning_curves permutation_importance precision_recall roc scores"
CURVES = {  # columns, and what stands at the axes
    "Learning curves": ({"training_loss", "validation_loss"}, "epoch", "cross-entropy, nats"),
    "ROC": ({"false_alarm_rate", "events_found"}, "false-alarm rate", "share of events found"),
    "Precision and recall": ({"recall", "precision"}, "recall", "precision"),
    "Calibration": ({"predicted", "observed"}, "predicted probability", "observed share of events"),
    "Cost": ({"threshold", "cost"}, "threshold", "cost an applicant"),
}

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Clone:
    """A clone, and `home`, where what it runs keeps its stores."""

    folder: Path
    home: Path

    def run(self, *command: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command inside the clone, with nobody's settings but its own."""
        own = {key: value for key, value in environment(self.home).items() if key != "PYTHONPATH"}
        own |= {f"DVC_{name}_DIR": str(self.home / name) for name in ("GLOBAL_CONFIG", "SYSTEM_CONFIG", "SITE_CACHE")}
        own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "NO_PROXY": "127.0.0.1"}
        own |= {f"GIT_{who}_{what}": "t@t.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        own |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
        done = subprocess.run(
            command, cwd=self.folder, env=own, capture_output=True, text=True, check=False, timeout=500
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done

    def dvc(self, *arguments: str) -> str:
        """What a command of DVC prints."""
        return self.run(sys.executable, "-m", "dvc", *arguments).stdout

    def repro(self) -> list[str]:
        """The stages that `dvc repro` runs."""
        return ran(self.dvc("repro"))

    def commit(self) -> None:
        """Commit all that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "state")

    def replace(self, name: str, old: str, new: str) -> None:
        """Edit a file as a person would."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def contents(self, *names: str) -> dict[str, bytes]:
        """Every file under the folders, or of the files, called `names`."""
        found = [path for name in names for path in [self.folder / name, *(self.folder / name).rglob("*")]]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found if path.is_file()}

    def another(self, home: Path) -> "Clone":
        """`git clone`, with the environment."""
        clone = Clone(home / "clone", home)
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(self.folder), str(clone.folder)], check=True)
        return equipped(clone)


def ran(output: str) -> list[str]:
    """The stages that ran, from what DVC prints."""
    return re.findall(r"^Running stage '(\w+)'", output, re.MULTILINE)


def equipped(clone: Clone) -> Clone:
    """The environment that pytest runs in, where the stages look for it."""
    (clone.folder / ".venv").symlink_to(sys.prefix)
    (clone.folder / ".git/info/exclude").write_text("/.venv\n")
    return clone


def fresh(home: Path) -> Clone:
    """This checkout as it is on disk, committed, with nothing that a run leaves behind."""
    ignored = pathspec.PathSpec.from_lines("gitignore", (ROOT / ".gitignore").read_text().splitlines())

    def left_out(directory: str, names: list[str]) -> set[str]:
        here = Path(directory)
        own = {".git"} if here == ROOT else {"tmp", "cache", "config.local"} if here == ROOT / ".dvc" else set()
        paths = {name: (here / name).relative_to(ROOT).as_posix() + "/" * (here / name).is_dir() for name in names}
        return own | {name for name, path in paths.items() if ignored.match_file(path)}

    clone = Clone(home / "clone", home)
    shutil.copytree(ROOT, clone.folder, ignore=left_out)
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.commit()
    return equipped(clone)


@pytest.fixture(scope="module")
def german(tmp_path_factory):
    """German Credit, reproduced in a fresh clone."""
    clone = fresh(tmp_path_factory.mktemp("german"))
    assert clone.repro() == STAGES
    return clone


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A small table of one's own, delivered by `dvc add`, and the four lines of dvc.yaml that are changed for it."""
    clone = fresh(tmp_path_factory.mktemp("own"))
    made = write_hand_made(clone.home)
    (clone.home / "applications (new).csv").rename(clone.folder / DELIVERED)
    text = made.read_text().replace("applications (new).csv", DELIVERED)
    (clone.folder / "configs/datasets/hand_made.yaml").write_text(text)
    (clone.folder / "configs/models/small.yaml").write_text(SMALL)
    (clone.folder / "configs/gates.yaml").write_text(LENIENT)
    clone.replace("dvc.yaml", "configs/datasets/german_credit.yaml", "configs/datasets/hand_made.yaml")
    clone.replace("dvc.yaml", "data/german_credit.csv", DELIVERED)
    clone.replace("dvc.yaml", "configs/models/001_production.yaml", "configs/models/small.yaml")
    clone.replace("dvc.yaml", "var/train/german_credit/001_production", MADE)
    clone.dvc("add", DELIVERED)
    assert clone.repro() == STAGES
    clone.commit()
    return clone


@pytest.fixture
def back(own):
    """`own`, put back to what was committed afterwards."""
    yield own
    own.run("git", "checkout", "--quiet", ".")
    own.dvc("checkout", "--force")


@pytest.fixture(scope="module")
def s3():
    """The address of an S3 server with the bucket `credit`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/credit", method="PUT"), timeout=30).close()
    yield address
    server.stop()


def test_a_fresh_clone_gives_the_committed_hashes_of_data_split_and_graph(german):
    def hashes(lock: Path) -> dict[str, str]:
        stages = yaml.safe_load(lock.read_text())["stages"]
        return {Path(out["path"]).name: out["md5"] for stage in stages.values() for out in stage["outs"]}

    committed, made = hashes(ROOT / "dvc.lock"), hashes(german.folder / "dvc.lock")
    for name in ("table.parquet", "split.npy", "model.onnx"):
        assert made[name] == committed[name], f"{name}: run `make repro` and commit dvc.lock"


def test_a_second_run_does_nothing(german):
    before = german.contents("dvc.lock", "var/train")
    output = german.dvc("repro")
    assert ran(output) == []
    assert "Data and pipelines are up to date." in output
    assert german.contents("dvc.lock", "var/train") == before
    changed = german.run("git", "status", "--porcelain").stdout.splitlines()
    assert set(changed) <= {" M dvc.lock"}  # nothing that git would have to be told of


def test_it_needs_no_remote_and_reports_to_nobody(german):
    assert german.dvc("remote", "list") == ""
    assert german.dvc("config", "core.analytics") == "false\n"
    assert german.dvc("config", "core.check_update") == "false\n"
    asked = "from dvc.analytics import is_enabled; print(is_enabled())"
    assert german.run(sys.executable, "-c", asked).stdout == "False\n"


def test_the_graph_of_stages_is_drawn(german):
    names = dict(re.findall(r"(node\d+)\[\"(\w+)\"\]", german.dvc("dag", "--mermaid")))
    edges = re.findall(r"(node\d+)-->(node\d+)", german.dvc("dag", "--mermaid"))
    drawn = {(names[start], names[end]) for start, end in edges}
    assert set(names.values()) == set(STAGES)
    chain = {("check", "split"), ("split", "fit"), ("fit", "export"), ("export", "evaluate"), ("gate", "publish")}
    assert chain | {("evaluate", "gate")} <= drawn


def test_plots_show_the_curves_and_the_figures(german):
    shown = json.loads(german.dvc("plots", "show", "--json"))["data"]
    for title, (columns, *axes) in CURVES.items():
        (plot,) = shown.pop(title)
        points = plot["content"]["data"]["values"]
        assert len(points) >= 10, title
        assert all(columns <= point.keys() for point in points)
        assert plot["content"]["title"]["text"] == title
        assert [plot["content"]["encoding"][axis]["title"] for axis in "xy"] == axes
    assert sorted(Path(name).stem for name in shown) == FIGURES.split()
    page = Path(german.dvc("plots", "show").strip().removeprefix("file://"))
    assert page == german.folder / "var/plots/index.html"
    assert len(list(page.parent.glob("static/*.png"))) == len(shown)  # these are seen offline too


def test_an_experiment_runs_what_a_training_parameter_changes_and_is_compared(back):
    output = back.dvc("exp", "run", "--name", "shorter", "-S", "configs/models/small.yaml:training.epochs=10")
    assert ran(output) == AFTER_SPLIT
    (metrics,) = json.loads(back.dvc("metrics", "diff", "--json")).values()
    found = metrics["test.log_loss"]
    assert found["old"] != found["new"]
    assert found["diff"] == pytest.approx(found["new"] - found["old"])
    table = list(csv.DictReader(back.dvc("exp", "show", "--csv", "--only-changed").splitlines()))
    (row,) = [row for row in table if row["Experiment"] == "shorter"]
    assert row["configs/models/small.yaml:training.epochs"] == "10"
    assert float(row["test.log_loss"]) == found["new"]
    (losses,) = json.loads(back.dvc("plots", "diff", "--json"))["data"]["Learning curves"]
    points = losses["content"]["data"]["values"]
    lengths = {revision: len([p for p in points if p["rev"] == revision]) for revision in losses["revisions"]}
    assert lengths == {"HEAD": 2 * 20, "workspace": 2 * 10}
    back.run("git", "checkout", "--quiet", ".")
    assert back.repro() == []  # what was there comes out of the cache


def test_a_bound_of_the_gates_runs_the_gate_and_what_follows(back):
    back.replace("configs/gates.yaml", "least_approval_ratio: 0.0", "least_approval_ratio: 0.01")
    assert back.repro() == ["gate", "publish"]


def test_a_remark_in_a_config_runs_nothing_but_what_reads_its_text(back):
    path = back.folder / "configs/models/small.yaml"
    path.write_text(path.read_text() + "# a remark\n")
    assert back.repro() == []


def outputs(clone: Clone) -> dict[str, bytes]:
    """The table and all that was made of it."""
    return clone.contents(DELIVERED, MADE)


def test_another_clone_pulls_data_and_results_over_http_and_a_delivery_follows(own, s3, tmp_path):
    own.dvc("remote", "add", "--default", "shared", "s3://credit/store")
    own.dvc("remote", "modify", "shared", "endpointurl", s3)
    own.commit()
    assert "files pushed" in own.dvc("push")
    assert "Everything is up to date." in own.dvc("push")
    kept = (own.folder / ".dvc/config").read_text()
    assert "secret" not in kept

    other = own.another(tmp_path / "other")
    assert outputs(other) == {}
    other.dvc("pull")
    assert "Data and pipelines are up to date." in other.dvc("status")
    made = {name: content for name, content in outputs(own).items() if Path(name).stem != "model_card"}
    assert outputs(other) == made  # publishing writes the card, with the commit on it, and DVC does not keep it
    assert len(made) > 20
    assert other.repro() == []
    inputs = ["--dataset", "configs/datasets/hand_made.yaml", "--model", "configs/models/small.yaml"]
    tag = other.run(sys.executable, "-m", "train", "publish", *inputs).stdout.strip()
    assert tag == json.loads((other.folder / MADE / "published.json").read_bytes())["tag"]
    assert (other.home / "bentoml/models" / tag.replace(":", "/") / "model.onnx").is_file()

    before = (own.folder / DELIVERED).read_bytes()
    after = before + before.splitlines(keepends=True)[-1]
    (own.folder / DELIVERED).unlink()  # DVC may have linked it to its cache
    (own.folder / DELIVERED).write_bytes(after)
    own.dvc("add", DELIVERED)
    own.commit()
    own.dvc("push", DELIVERED)
    other.run("git", "pull", "--quiet")
    other.dvc("pull", DELIVERED)
    assert (other.folder / DELIVERED).read_bytes() == after
    assert "check" in other.dvc("status")  # which would have to run now
    other.run("git", "checkout", "--quiet", "HEAD~1")
    other.dvc("checkout", DELIVERED)
    assert (other.folder / DELIVERED).read_bytes() == before


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_remote_that_does_not_answer_is_named_and_changes_nothing(own, tmp_path, command):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        other = own.another(tmp_path / "other")
        if command == "push":
            (other.folder / DELIVERED).write_bytes((own.folder / DELIVERED).read_bytes())
            other.dvc("commit", "--force", DELIVERED + ".dvc")
        other.dvc("remote", "add", "--force", "--default", "shared", "s3://credit/store")
        other.dvc("remote", "modify", "shared", "endpointurl", address)
        before = other.contents(".dvc/config", "data", "var")
        done = other.run(sys.executable, "-m", "dvc", command, DELIVERED, fails=True)
        assert f'Could not connect to the endpoint URL: "{address}' in done.stderr
        assert "Traceback" not in done.stderr
        assert other.contents(".dvc/config", "data", "var") == before
