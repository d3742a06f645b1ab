"""The pipeline as DVC runs it, in a fresh clone: what it makes, what runs again, and what is shown."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.train.clones import STAGES, Clone, ran

FIGURES = (
    "calibration calibration_by_decile confusion cost gain interactions learning_curves lift partial_dependence "
    "permutation_importance precision_recall roc scores segments sensitivity"
)
CURVES = {  # columns, and what stands at the axes
    "Learning curves": ({"training_loss", "validation_loss"}, "step", "cross-entropy, nats"),
    "ROC": ({"false_alarm_rate", "events_found"}, "false-alarm rate", "share of events found"),
    "Precision and recall": ({"recall", "precision"}, "recall", "precision"),
    "Calibration": ({"predicted", "observed"}, "predicted probability", "observed share of events"),
    "Cost": ({"threshold", "cost"}, "threshold", "cost per applicant"),
}

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def german(trained):
    """The fresh clone in which `trained` was made, of German Credit."""
    home = Path(trained.environment["BENTOML_HOME"]).parent
    assert json.loads((home.parent / "trained.json").read_bytes())[1] == STAGES
    return Clone(home / "clone", home)


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
    settings = german.dvc("config", "--list").splitlines()
    assert [line for line in settings if line.startswith("remote.")] == []
    assert {"core.analytics=false", "core.check_update=false"} <= set(settings)
    asked = "from dvc.analytics import is_enabled; print(is_enabled())"
    assert german.run(sys.executable, "-c", asked).stdout == "False\n"


def test_the_graph_of_stages_is_drawn(german):
    graph = german.dvc("dag", "--mermaid")
    names = dict(re.findall(r"(node\d+)\[\"(\w+)\"\]", graph))
    edges = re.findall(r"(node\d+)-->(node\d+)", graph)
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
