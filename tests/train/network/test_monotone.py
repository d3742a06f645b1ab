"""Monotone features: in the graph that is served, for every value allowed, whatever else the applicant is."""

import msgspec
import numpy as np
import pytest
import torch
from onnx import numpy_helper

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from configs.gates import read_gates
from configs.model import Encoding, ModelConfig, Network, Training
from models.schema import Schema
from models.scorer import Scorer
from tests.train.test_gate import DATASET, GOOD
from train.errors import PipelineError
from train.evaluation.walk import walks
from train.export import export
from train.fit import fit
from train.gate import judge
from train.network.onnx_graph import build_graphs
from train.tables.column import NumberColumn
from train.tables.table import Table

LIMITS = np.finfo(np.float32).max
FEATURES = (
    Feature(name="arrears", type="integer", minimum=0, maximum=30, monotone="increasing"),
    Feature(name="income", type="number", monotone="decreasing", nullable=True),
    Feature(name="debt", type="number", minimum=0, maximum=1e6, monotone="increasing"),
    Feature(name="age", type="integer", minimum=18, maximum=120),
    Feature(name="kind", type="categorical", categories=("new", "used")),
)
SCHEMA = Schema(
    Dataset(
        name="monotone",
        source=Source(path="-"),
        target=Target(column="outcome", event="1"),
        costs=Costs(missed_event=5, false_alarm=1),
        features=FEATURES,
    )
)
MONOTONE = [feature for feature in FEATURES if feature.monotone]
PIECES = Encoding(numbers="piecewise_linear", bins=8)
TRAINING = Training(steps=100, folds=2, learning_rate=0.03)


def config(layers, activation="relu", **network):
    shape = Network(layers=layers, activation=activation, members=2, column_dropout=0.1, dropout=0.1, **network)
    return ModelConfig(encoding=PIECES, network=shape, training=TRAINING)


@pytest.fixture(scope="module")
def table():
    """Risk falls where it is declared to rise, as chance may have it: a free model learns the opposite."""
    drawn = np.random.default_rng(0)
    arrears, income, debt = drawn.integers(0, 5, 600), drawn.lognormal(10, 1, 600), drawn.uniform(0, 5e4, 600)
    logit = -1 - 0.8 * (arrears == 3) + np.sin(income / 1e4) - 2 * np.cos(debt / 1e4)
    columns = {
        "arrears": NumberColumn(arrears.astype(float)),
        "income": NumberColumn(np.where(drawn.random(600) < 0.1, np.nan, income)),
        "debt": NumberColumn(debt),
        "age": NumberColumn(drawn.integers(18, 80, 600).astype(float)),
        "kind": drawn.choice(np.array(["new", "used"], dtype=object), 600),
    }
    return Table(columns, (drawn.random(600) < 1 / (1 + np.exp(-logit))).astype(np.int64))


@pytest.fixture(scope="module", params=[(), (12,), (8, 6), (6, 5, 4)], ids=str)
def network(request, table):
    return fit(SCHEMA, table, config(request.param)).network


@pytest.fixture(scope="module")
def scorer(network, table):
    model, _, _ = export(SCHEMA, network, table)
    return Scorer(model, SCHEMA)


def grid(feature, table, count=60):
    """Values in the direction of rising risk: of the table, its ends and their neighbours in float32, the limits."""
    known = table.arrays[feature.name]
    ends = np.array([np.nanmin(known), np.nanmax(known)], dtype=np.float32)
    spread = np.linspace(max(feature.lowest, -1e5), min(feature.highest, 1e6), count)
    close = [np.nextafter(ends, np.float32(side)) for side in (-LIMITS, LIMITS)]
    found = np.concatenate([spread, np.nanquantile(known, np.linspace(0, 1, count)), ends, *close])
    found = np.clip(np.append(found, [feature.lowest, feature.highest]), feature.lowest, feature.highest)
    rising = np.unique((np.floor(found) if feature.type == "integer" else found).astype(np.float32))
    return rising[:: feature.direction]


def applicants(table, count):
    rows = np.random.default_rng(1).permutation(len(table.target))[:count]
    return SCHEMA.feed_columns(table.rows(rows).columns)


def walked(scorer, feed, values):
    """Probabilities `[applicants, steps]` of all applicants at each step of `values`, some features at once."""
    steps = len(next(iter(values.values())))
    count = len(feed["kind"])
    tiled = {name: np.repeat(column, steps, axis=0) for name, column in feed.items()}
    tiled |= {name: np.tile(one, count)[:, None].astype(np.float32) for name, one in values.items()}
    return scorer.probabilities(tiled).reshape(count, steps)


@pytest.mark.parametrize("feature", MONOTONE, ids=lambda feature: feature.name)
def test_the_probability_never_moves_against_a_feature_over_its_whole_range(scorer, table, feature):
    found = walked(scorer, applicants(table, 60), {feature.name: grid(feature, table)})
    assert (np.diff(found, axis=1) >= 0).all()


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 2), (1, 2)])
def test_nor_against_two_features_that_change_together(scorer, table, one, other):
    one, other = MONOTONE[one], MONOTONE[other]
    first, second = grid(one, table, 12), grid(other, table, 12)
    feed = applicants(table, 12)
    pairs = {one.name: np.repeat(first, len(second)), other.name: np.tile(second, len(first))}
    found = walked(scorer, feed, pairs).reshape(-1, len(first), len(second))
    assert (np.diff(found, axis=1) >= 0).all()
    assert (np.diff(found, axis=2) >= 0).all()  # and so along every path on which neither falls


def test_the_signs_of_the_weights_in_the_graph_prove_it(network, table):
    """Without a value tried: along no path from a monotone input is the product of the weights of the wrong sign."""
    graph = build_graphs(SCHEMA, network)[0].graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers = [constants[node.input[-1 if node.op_type == "MatMul" else 1]] for node in graph.node if multiplies(node)]
    directions = network.directions.numpy()
    assert set(directions) == {-1, 0, 1}
    members = network.shape.members
    rising, falling = np.diag(directions == 1)[directions != 0] * 1.0, np.diag(directions == -1)[directions != 0] * 1.0
    for weight in layers:  # paths on which the product is positive, and on which it is negative
        if weight.ndim == 3:  # members apart
            joined = np.zeros((members * weight.shape[1], members * weight.shape[2]))
            for member, own in enumerate(weight):
                joined[member * own.shape[0] :, member * own.shape[1] :][: own.shape[0], : own.shape[1]] = own
        else:
            joined = weight
        up, down = np.maximum(joined, 0), np.maximum(-joined, 0)
        rising, falling = rising @ up + falling @ down, rising @ down + falling @ up
    assert falling.max() == 0
    assert rising.max() > 0


def multiplies(node):
    return node.op_type in ("Gemm", "MatMul")


def test_a_free_model_of_the_same_table_does_move_against_them(table):
    free = tuple(msgspec.structs.replace(feature, monotone=None) for feature in FEATURES)
    schema = Schema(msgspec.structs.replace(SCHEMA.dataset, features=free))
    network = fit(schema, table, config((12,))).network
    scorer = Scorer(build_graphs(schema, network)[0].SerializeToString(), schema)
    for feature in MONOTONE:
        found = walked(scorer, applicants(table, 60), {feature.name: grid(feature, table)})
        assert np.diff(found, axis=1).min() < -0.01
    found = walks(SCHEMA, scorer.probabilities, table)
    assert {walk.feature for walk in found if walk.against is not None} == {feature.name for feature in MONOTONE}
    verdicts = judge(DATASET, read_gates(), msgspec.structs.replace(GOOD, walks=found))
    failed = {verdict.gate for verdict in verdicts if verdict.status == "fail"}
    assert failed == {f"monotone, {feature.name}" for feature in MONOTONE}


def test_the_walk_finds_nothing_against_a_monotone_graph(scorer, table):
    declared = {walk.feature: walk.against for walk in walks(SCHEMA, scorer.probabilities, table)}
    assert [declared[feature.name] for feature in MONOTONE] == [0, 0, 0]


def test_an_activation_that_falls_in_places_is_refused_with_the_remedy(table):
    with pytest.raises(PipelineError, match=r"network\.activation is silu.*set it to relu or tanh"):
        fit(SCHEMA, table, config((4,), "silu"))


def test_export_refuses_a_weight_of_the_wrong_sign(table):
    network = fit(SCHEMA, table, config((4,), "tanh")).network
    assert network.is_monotone
    with torch.no_grad():
        network.weights[0][:, network.directions == 1, 1] = 0.5  # the second unit falls with risk
    with pytest.raises(PipelineError, match="monotone"):
        export(SCHEMA, network, table)
