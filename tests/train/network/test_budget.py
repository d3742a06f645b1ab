"""How much a network is trained follows from its table, and a network that its table has widened is served as it is."""

import numpy as np
import pytest

from configs.model import ModelConfig, Network, Training
from models.schema import Schema
from tests.models.tables import hand_made
from train.check import check
from train.export import export
from train.fit import LOOKS, fit
from train.network import budget
from train.network.weights import load, save


@pytest.fixture(scope="module")
def schema_and_table(tmp_path_factory):
    """The table made by hand."""
    dataset = hand_made(tmp_path_factory.mktemp("hand_made"))
    return Schema(dataset), check(dataset, 20)


def steps_taken(schema, table, **training):
    config = ModelConfig(training=Training(folds=2, **training), network=Network(members=2))
    looks = fit(schema, table, config, report=lambda _: None).looks
    assert len(looks) <= LOOKS
    return looks[-1].step


def test_nine_times_the_rows_are_trained_for_three_times_the_steps_and_not_for_nine(schema_and_table):
    schema, table = schema_and_table
    larger = table.rows(np.tile(np.arange(len(table.target)), 9))
    few, many = (steps_taken(schema, each, steps=20) for each in (table, larger))
    assert abs(many - 3 * few) <= 2
    assert steps_taken(schema, larger, steps=20, growth=0) == 20


def test_the_rarer_outcome_decides_and_not_which_of_both_it_is(schema_and_table):
    schema, table = schema_and_table
    events = np.flatnonzero(table.target == 1)
    others = np.flatnonzero(table.target == 0)
    few_events, few_others = (
        table.rows(np.concatenate([few[:20], many])) for few, many in ((events, others), (others, events))
    )
    assert steps_taken(schema, few_events, steps=100) == steps_taken(schema, few_others, steps=100)


def test_a_widened_network_is_read_back_and_exported_as_it_was_fitted(schema_and_table, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "REFERENCE", 5)
    schema, table = schema_and_table
    config = ModelConfig(
        network=Network(layers=(8, 8), members=2, growth=0.5), training=Training(folds=2, steps=2, growth=0)
    )
    fitted = fit(schema, table, config).network
    wide = fitted.shape.layers
    assert min(wide) > 8
    save(fitted, tmp_path / "network.npz")
    again = load(tmp_path / "network.npz", config.network)
    assert again.shape.layers == wide
    export(schema, again, table)  # compares every row with PyTorch


def test_german_credit_has_the_network_of_its_model_file():
    network = Network(layers=(64,), growth=0.25)
    assert budget.shape(network, rarer=240).layers == budget.shape(network, rarer=300).layers == (64,)
