"""The reference of explanations: made up of the columns' own values, at the base rate, and nobody's record."""

from collections import Counter

import numpy as np
import pytest

from models.background import Background, log_odds, probability_of, weights
from models.schema import Schema
from models.scorer import Scorer
from tests.models.tables import german_credit, hand_made
from tests.train.network.test_onnx_graph import make_network
from train.check import check
from train.network.onnx_graph import build_graph
from train.publishing.background import APPLICANTS, background


@pytest.fixture(scope="module", params=["german_credit", "hand_made"])
def made(request, tmp_path_factory):
    """Schema, graph, table and reference: of German Credit, then of a table with missing values."""
    folder = tmp_path_factory.mktemp("table")
    schema = Schema(german_credit() if request.param == "german_credit" else hand_made(folder))
    table = check(schema.dataset, 2)
    network = make_network(schema, schema.feed_columns(table.columns))
    model = build_graph(schema, network).SerializeToString(deterministic=True)
    return schema, model, table, background(schema, model, table)


def test_the_file_gives_back_what_was_written(made):
    reference = made[3]
    assert Background.decode(reference.encode()) == reference
    assert reference.base_rate == made[2].target.mean()
    assert len(reference.applicants) == APPLICANTS


def test_high_is_what_lies_above_the_median_of_the_training_rows(made):
    schema, _, table, reference = made
    assert list(reference.higher_from) == [f.name for f in schema.numeric if not isinstance(f.reason, str)]
    for name, limit in reference.higher_from.items():
        values = np.array(table.columns[name])
        assert limit >= np.median(values)
        assert (values[values > np.median(values)] >= limit).all()


def test_every_value_is_one_of_its_column_and_protected_columns_are_left_out(made):
    schema, _, table, reference = made
    for applicant in reference.applicants:
        assert list(applicant) == [feature.name for feature in schema.inputs]
    for feature in schema.inputs:
        found = {applicant[feature.name] for applicant in reference.applicants}
        assert found <= set(table.columns[feature.name])
        if feature.type == "categorical":
            common = {
                value for value, rows in Counter(table.columns[feature.name]).items() if rows > len(table.target) / 8
            }
            assert common <= found


def test_no_applicant_is_a_row_of_the_table(made):
    schema, _, table, reference = made
    names = [feature.name for feature in schema.inputs]
    people = set(zip(*(list(table.columns[name]) for name in names), strict=True))
    assert people.isdisjoint(tuple(applicant.values()) for applicant in reference.applicants)


def test_values_are_missing_where_the_table_has_none(made):
    schema, _, table, reference = made
    for feature in schema.inputs:
        in_table = np.mean([value is None for value in table.columns[feature.name]])
        drawn = np.mean([applicant[feature.name] is None for applicant in reference.applicants])
        assert (in_table == 0 and drawn == 0) or 0 < drawn < 1


def test_its_mean_log_odds_are_those_of_the_base_rate(made):
    schema, model, _, reference = made
    table = {f.name: [applicant[f.name] for applicant in reference.applicants] for f in schema.inputs}
    odds = log_odds(Scorer(model, schema).probabilities(schema.feed_columns(table)))
    assert probability_of(odds.mean()) == pytest.approx(reference.base_rate, abs=0.03)
    assert probability_of(weights(odds, reference.base_rate) @ odds) == pytest.approx(reference.base_rate, abs=1e-12)


def test_the_same_inputs_give_the_same_bytes_and_another_seed_gives_others(made):
    schema, model, table, reference = made
    assert background(schema, model, table).encode() == reference.encode()
    assert background(schema, model, table, seed=1).encode() != reference.encode()


@pytest.mark.parametrize("base_rate", [0.001, 0.999])
def test_a_base_rate_out_of_reach_leaves_the_weights_even(base_rate):
    assert weights(np.array([-1.0, 0.0, 1.0]), base_rate).tolist() == [1 / 3] * 3
