"""The walk: it finds where a model forgets an applicant whose value training did not see."""

import msgspec
import numpy as np
import pytest

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from configs.gates import read_gates
from configs.model import Encoding, ModelConfig, Network, Training
from models.schema import Schema
from models.scorer import Scorer
from tests.train.test_gate import DATASET, GOOD
from train.evaluation.walk import walks
from train.fit import fit
from train.gate import judge
from train.network.onnx_graph import build_graph
from train.tables.column import NumberColumn
from train.tables.table import Table

FEATURES = (
    Feature(name="delinquencies", type="integer", minimum=0, maximum=20),
    Feature(name="housing", type="categorical", categories=("own", "rent", "parents"), nullable=True),
    Feature(name="income", type="number", minimum=0, nullable=True),
)
SCHEMA = Schema(
    Dataset(
        name="delinquent",
        source=Source(path="-"),
        target=Target(column="outcome", event="1"),
        costs=Costs(missed_event=5, false_alarm=1),
        features=FEATURES,
    )
)
LINEAR = ModelConfig(network=Network(members=2), training=Training(steps=240, folds=2, learning_rate=0.05))
DEEP = ModelConfig(
    encoding=Encoding(numbers="piecewise_linear", bins=4),
    network=Network(layers=(8,), members=2),
    training=Training(steps=120, folds=2, learning_rate=0.02),
)


@pytest.fixture(scope="module")
def table():
    """0, 1, 2 and 5 delinquencies, which raise the risk; nobody lives with parents, and every income is given."""
    drawn = np.random.default_rng(0)
    count = drawn.choice([0, 1, 2, 5], 400)
    columns = {
        "delinquencies": NumberColumn(count.astype(float)),
        "housing": drawn.choice(np.array(["own", "rent"], dtype=object), 400),
        "income": NumberColumn(drawn.lognormal(10, 1, 400)),
    }
    return Table(columns, (drawn.random(400) < 0.1 + 0.15 * count).astype(np.int64))


def by_feature(probabilities, table):
    return {walk.feature: walk for walk in walks(SCHEMA, probabilities, table)}


def probabilities_of(feed):
    """Of a model that codes each value of the table by itself, as equal to it or not."""
    worth = {0: -2.0, 1: -1.0, 2: 0.0, 5: 1.0}
    logits = np.array([worth.get(int(value), -1.5) for value in feed["delinquencies"][:, 0]])
    return 1 / (1 + np.exp(-logits))


def test_a_model_that_forgets_an_applicant_at_an_unseen_count_departs_and_fails_the_gate(table):
    walk = by_feature(probabilities_of, table)["delinquencies"]
    assert walk.unseen == ["above 5"]
    assert walk.departure == pytest.approx(1 / (1 + np.exp(-1)) - 1 / (1 + np.exp(1.5)))  # 6, or 20, against 5
    verdicts = judge(DATASET, read_gates(), msgspec.structs.replace(GOOD, walks=[walk]))
    failed = [verdict for verdict in verdicts if verdict.status == "fail"]
    assert [verdict.gate for verdict in failed] == ["departure at unseen values"]
    assert "delinquencies" in failed[0].remedy


@pytest.mark.parametrize("config", [LINEAR, DEEP], ids=["linear", "deep"])
def test_no_value_falls_off_the_map_of_a_fitted_network(table, config):
    scorer = Scorer(build_graph(SCHEMA, fit(SCHEMA, table, config).network).SerializeToString(), SCHEMA)
    found = by_feature(scorer.probabilities, table)
    assert found["housing"].unseen == ["parents", "missing"]
    assert found["income"].unseen[0].startswith("below")
    assert max(walk.departure for walk in found.values()) < 0.02

    def at(count, housing="own", income=20_000):
        applicant = {"delinquencies": [count], "housing": [housing], "income": [income]}
        return scorer.probabilities(SCHEMA.feed_columns(applicant)).item()

    assert at(0) < at(1) < at(2) < at(3) < at(4) < at(5) == at(6) == at(20)
    assert at(1, "own") < at(1, "parents") < at(1, "rent") or at(1, "own") > at(1, "parents") > at(1, "rent")
    richest = max(table.columns["income"])
    assert at(1, income=1e30) == at(1, income=richest)


def test_a_category_that_no_row_has_is_the_average_applicant(table):
    network = fit(SCHEMA, table, LINEAR).network
    weight = network.out_weight[:, :2, 0] * network.shares  # the categories come first
    assert weight.sum(dim=1).abs().max() < 1e-4
