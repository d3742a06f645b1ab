"""A study: the protocol follows from the rows, differences are paired and corrected, and the best ranks first."""

import numpy as np
import pytest

from configs.dataset import read_dataset
from tests.models.tables import write_hand_made
from train.console import Console
from train.evaluation import figures, study_page
from train.evaluation.study import METRICS, Standing, TableResult, holm, mean_ranks, protocol, study
from train.tables.table import Table

EVERYONE = ("ours", "blind", "twin")


def _seen(schema, training, test):
    """The outcome itself, blurred: better than anybody could be."""
    return (0.1 + 0.8 * test.target).astype(np.float32)


def _blind(schema, training, test):
    return np.linspace(0.3, 0.5, len(test.target), dtype=np.float32)


CANDIDATES = {"ours": _seen, "blind": _blind, "twin": _seen}


@pytest.fixture(params=["folds", "one part"])
def result(request, tmp_path, monkeypatch):
    """What is found on the table made by hand, judged as a small and as a large one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    if request.param == "one part":
        monkeypatch.setattr("train.evaluation.study.LARGE", 100)
    file = write_hand_made(tmp_path)
    (found,) = study([file], "ours", CANDIDATES, 1, b"", Console())
    kept = tmp_path / "var/train" / read_dataset(file).name / "study.json"
    assert kept.exists()
    assert found.folds == (10 if request.param == "folds" else 1)
    return found


def test_who_is_better_is_ahead_in_every_metric_and_a_twin_in_none(result):
    for metric, sign in METRICS.items():
        standing = result.standings[metric]
        assert standing["ours"].value == standing["twin"].value
        assert sign * (standing["ours"].value - standing["blind"].value) == pytest.approx(standing["blind"].ahead)
        assert [standing[name].verdict for name in EVERYONE] == [0, 1, 0]


def test_a_study_goes_on_where_it_was_stopped_and_begins_anew_where_something_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("train.evaluation.study.LARGE", 100)
    file, fitted = write_hand_made(tmp_path), []

    def counted(schema, training, test):
        fitted.append(len(training.target))
        return _blind(schema, training, test)

    def run(settings=b"", repeats=1):
        return study([file], "ours", {"ours": counted, "blind": _blind}, repeats, settings, Console())

    assert run() == run()
    assert len(fitted) == 1
    run(settings=b"another model file")
    run(settings=b"another model file", repeats=2)
    with (tmp_path / "applications (new).csv").open("a", encoding="utf-8") as table:
        table.write("row,1,500,東京,0,1.5,1,18,yes\n")
    run(settings=b"another model file", repeats=2)
    assert len(fitted) == 4


def test_no_row_of_a_part_stands_on_both_sides():
    target = (np.arange(100_000) % 4 == 0).astype(np.int64)
    ((training, test),) = protocol(Table({}, target), repeats=3).folds
    assert len(test) == 10_000
    assert not np.isin(test, training).any()


def test_a_correction_never_makes_a_difference_more_certain():
    drawn = {str(number): p for number, p in enumerate(np.random.default_rng(0).random(20))}
    corrected = holm(drawn)
    assert all(corrected[name] >= p for name, p in drawn.items())
    assert sorted(drawn, key=drawn.__getitem__) == sorted(drawn, key=lambda name: (corrected[name], drawn[name]))


def made(**values):
    return TableResult(
        "t", 1000, 300, 10, {metric: {n: Standing(v, 0, 1) for n, v in values.items()} for metric in METRICS}
    )


def test_a_high_roc_auc_and_a_low_cost_rank_first():
    ranks = mean_ranks([made(a=0.8, b=0.7, c=0.7)])
    assert ranks["a"] == {"roc_auc": 1, "brier": 3, "cost": 3}
    assert ranks["b"] == ranks["c"] == {"roc_auc": 2.5, "brier": 1.5, "cost": 1.5}


def test_the_plot_has_a_line_for_every_candidate_and_is_the_same_each_time():
    results = [made(a=0.8, b=0.7), made(a=0.7, b=0.8)]
    drawn = study_page.plot(results, "a")
    assert [line.get_label() for line in drawn.axes[0].lines] == ["a", "b"]
    assert figures.svg(drawn) == figures.svg(study_page.plot(results, "a"))


def test_the_page_marks_whom_ours_is_behind():
    result = made(ours=0.7, better=0.8)
    result.standings["roc_auc"]["better"] = Standing(0.8, -0.1, 0.01)
    text = study_page.markdown([result], "ours")
    assert "0.8000 ▲" in text
    assert "| better | 1.00 | 2.00 | 2.00 | 1.67 | 0, 1 |" in text
