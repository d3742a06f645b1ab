"""How many declined applicants keep their reasons when only the seed of the training changes."""

import msgspec
import pytest

from configs.model import Encoding, ModelConfig, Network, Training
from models.schema import Schema
from tests.models.tables import hand_made
from train.check import check
from train.evaluation.reasons import declined_by_both, reasons_kept, retrained

CONFIG = ModelConfig(
    encoding=Encoding(numbers="piecewise_linear", bins=4),
    network=Network(layers=(8,), members=2),
    training=Training(steps=60, folds=2, learning_rate=0.02),
)
LINEAR = msgspec.structs.replace(CONFIG, encoding=Encoding(), network=Network(members=2))


@pytest.fixture(scope="module")
def schema_and_table(tmp_path_factory):
    dataset = hand_made(tmp_path_factory.mktemp("hand_made"))
    return Schema(dataset), check(dataset, 20)


def kept(schema_and_table, config, confidence=0.9):
    schema, table = schema_and_table
    return reasons_kept(schema, config, retrained(schema, config, table, 0), table, table, confidence)


def test_a_linear_model_keeps_more_reasons_than_a_network_that_chance_moves(schema_and_table):
    linear, wild = kept(schema_and_table, LINEAR), kept(schema_and_table, CONFIG)
    assert 0 <= wild.low < wild.value < linear.value <= 1
    assert linear.low < linear.value <= linear.high <= 1


def test_the_same_seed_keeps_all(schema_and_table):
    schema, table = schema_and_table
    assert reasons_kept(schema, CONFIG, retrained(schema, CONFIG, table, 1), table, table, 0.9).value == 1


def test_applicants_are_those_that_every_model_declines(schema_and_table):
    schema, table = schema_and_table
    models = [retrained(schema, CONFIG, table, seeds) for seeds in (0, 1)]
    both = declined_by_both(schema, models, table)
    assert 0 < len(both) <= min(len(declined_by_both(schema, [model], table)) for model in models)


def test_where_few_are_declined_there_is_no_share(schema_and_table):
    schema, table = schema_and_table
    few = table.rows(table.target.argsort()[:9])
    assert reasons_kept(schema, CONFIG, retrained(schema, CONFIG, table, 0), table, few, 0.9) is None
