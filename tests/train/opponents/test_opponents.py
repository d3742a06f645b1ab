"""Opponents are calibrated, blind to protected columns, and take gaps and unknown categories as they come."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from models.schema import Schema
from tests.conftest import ROOT
from tests.models.tables import hand_made, write_hand_made
from train.check import check
from train.evaluation.candidates import with_protected
from train.opponents import entrants
from train.opponents.inputs import Filled, Matrix
from train.opponents.scorecard import monotone_edges

pytestmark = pytest.mark.slow

HERE = ("logistic regression", "scorecard", "random forest", "gradient boosting")


@pytest.fixture(scope="module")
def schema_and_table(tmp_path_factory):
    """The table made by hand: missing values, odd names, a protected column."""
    dataset = hand_made(tmp_path_factory.mktemp("hand_made"))
    return Schema(dataset), check(dataset, 20)


@pytest.mark.parametrize("name", HERE)
def test_an_opponent_is_calibrated_and_blind_to_protected_columns(schema_and_table, name):
    schema, table = schema_and_table
    opponent = entrants.opponents()[name]
    rows = np.arange(len(table.target))
    training, test = table.rows(rows[::2]), table.rows(rows[1::2])
    probability = opponent(schema, training, test)
    assert probability.shape == test.target.shape
    assert abs(probability.mean() - table.target.mean()) < 0.15
    shuffled = table.rows(rows[::2])
    shuffled.columns["alter"] = table.columns["alter"][np.random.default_rng(0).permutation(rows)[: len(rows[::2])]]
    assert opponent(schema, shuffled, test).tolist() == probability.tolist()
    assert opponent(with_protected(schema), shuffled, test).tolist() != probability.tolist()


def informative_gaps(rows=400):
    """A number whose values say nothing and whose absence says all, and the outcome."""
    drawn = np.random.default_rng(0)
    target = (drawn.random(rows) < 0.3).astype(np.int64)
    values = drawn.normal(size=(rows, 2))
    values[target == 1, 0] = np.nan
    return Matrix(values, 0), target


def test_a_gap_is_an_input_of_its_own():
    rows, target = informative_gaps()
    filled = Filled(rows)(rows)
    assert any(np.array_equal(column, target) for column in filled.T)
    assert np.isfinite(filled).all()


def test_a_category_that_training_lacks_is_none_of_the_indicators():
    fill = Filled(Matrix(np.array([[1.0, 5.0], [2.0, 6.0]]), 1))
    assert fill(Matrix(np.array([[3.0, 5.0], [0.0, 5.0]]), 1))[:, :2].tolist() == [[0, 0], [0, 0]]


def test_the_bins_of_a_scorecard_rise_or_fall_throughout():
    drawn = np.random.default_rng(0)
    values = drawn.random(4000)
    target = (drawn.random(4000) < 0.1 + 0.3 * values).astype(np.int64)
    edges = monotone_edges(values, target)
    rates = [target[np.searchsorted(edges, values, side="right") == place].mean() for place in range(len(edges) + 1)]
    assert len(edges) > 2
    assert rates == sorted(rates)
    assert monotone_edges(values, 1 - target).tolist() == edges.tolist()


COMPARE = """
import json, os, pathlib, numpy as np
from configs.dataset import read_dataset
from models.schema import Schema
from train.check import check
from train.opponents import entrants
dataset = read_dataset(pathlib.Path("hand_made.yaml"))
schema, table = Schema(dataset), check(dataset, 20)
rows = np.arange(len(table.target))
last = dataset.features[0].categories[-1]
training = table.rows(rows[(rows % 2 == 0) & (table.columns["code"] != "2") & (table.columns["code"] != last)])
found = {}
for name in entrants.ELSEWHERE:
    opponent = entrants.opponents()[name]
    probability = opponent(schema, training, table.rows(rows[1::2]))
    beside = {"weight": np.where(training.target == 1, 3.0, 1.0), "group": np.arange(len(training.target)) // 2}
    heavy = opponent(schema, training.with_beside(beside), table.rows(rows[1::2]))
    found[name] = [float(probability.mean()), float(probability.std()), float(heavy.mean())]
print(json.dumps([found, entrants.absent(), float(table.target.mean())]))
"""


def test_the_opponents_of_the_other_environment_take_gaps_and_categories_that_training_lacks(tmp_path):
    write_hand_made(tmp_path)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    done = subprocess.run(
        [ROOT / ".venv-comparison/bin/python", "-c", COMPARE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{packages}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, absent, rate = json.loads(done.stdout.splitlines()[-1])
    assert absent == []
    for mean, deviation, heavy in found.values():
        assert abs(mean - rate) < 0.15
        assert deviation > 0
        assert heavy > mean + 0.1  # events that count three times, in a table of customers


def test_what_is_not_installed_is_named():
    assert set(entrants.absent()) == set(entrants.ELSEWHERE)
    assert set(entrants.opponents()) == set(HERE)
