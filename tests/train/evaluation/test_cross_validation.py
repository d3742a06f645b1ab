"""Comparison: the same folds for all, nobody judged on what it has seen, intervals that know that folds overlap."""

from functools import partial

import numpy as np
import pytest

from configs.model import ModelConfig
from models.schema import Schema
from tests.models.tables import hand_made
from train.check import check
from train.evaluation.candidates import network, with_protected
from train.evaluation.cross_validation import cross_validate, folds_of, interval
from train.opponents.classics import logistic_regression

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def schema_and_table(tmp_path_factory):
    """The table made by hand: missing values, odd names, a protected column."""
    dataset = hand_made(tmp_path_factory.mktemp("hand_made"))
    return Schema(dataset), check(dataset, 20)


def seen_before(schema, training, test):
    """One for each test row that is among the training rows, told by where it stands in the file."""
    return np.isin(test.lines, training.lines).astype(np.float32)


def test_no_row_is_judged_by_what_has_seen_it(schema_and_table):
    schema, table = schema_and_table
    found = cross_validate({"memory": (schema, seen_before)}, table, folds_of(table.target, 4, 2))["memory"]
    assert found.held_out.tolist() == [0.0] * len(table.target)
    assert len(found.metrics) == 8


def test_all_candidates_get_the_same_rows_whatever_the_number_of_processes(schema_and_table):
    schema, table = schema_and_table
    entrants = {"regression": logistic_regression, "network": partial(network, ModelConfig())}
    candidates = {name: (schema, candidate) for name, candidate in entrants.items()}
    folds = folds_of(table.target, 3, 1)
    alone, together = (cross_validate(candidates, table, folds, workers=workers) for workers in (1, 2))
    for name in candidates:
        assert alone[name].held_out.tolist() == together[name].held_out.tolist()
        assert [m.rows for m in alone[name].metrics] == [80, 80, 80]


def test_a_network_is_calibrated_and_blind_to_protected_columns(schema_and_table):
    schema, table = schema_and_table
    candidate = partial(network, ModelConfig())
    rows = np.arange(len(table.target))
    training, test = table.rows(rows[::2]), table.rows(rows[1::2])
    probability = candidate(schema, training, test)
    assert probability.shape == test.target.shape
    assert abs(probability.mean() - table.target.mean()) < 0.15

    shuffled = table.rows(rows[::2])
    shuffled.columns["alter"] = table.columns["alter"][np.random.default_rng(0).permutation(rows)[: len(rows[::2])]]
    assert candidate(schema, shuffled, test).tolist() == probability.tolist()
    assert candidate(with_protected(schema), shuffled, test).tolist() != probability.tolist()


def test_an_interval_is_wider_than_independent_folds_would_make_it():
    rng = np.random.default_rng(0)
    differences = rng.normal(0.01, 0.02, size=100)
    estimate, p_value = interval(differences, folds=10, confidence=0.9)
    naive = 1.66 * differences.std(ddof=1) / 10
    assert estimate.value == pytest.approx(differences.mean())
    assert (estimate.high - estimate.low) / 2 > 3 * naive
    assert 0.05 < p_value < 1


def test_folds_without_any_difference_have_none():
    estimate, p_value = interval(np.zeros(10), folds=5, confidence=0.9)
    assert (estimate.value, estimate.low, estimate.high, p_value) == (0, 0, 0, 1)
