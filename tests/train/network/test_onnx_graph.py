"""The one graph: it computes what PyTorch does, for any batch, and is one file that tells nothing of this machine."""

import sys
from copy import deepcopy
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from configs.model import Encoding, Network, read_model
from models.encoding import Encoder, category_to_code
from models.schema import Schema, column
from models.scorer import EncodedScorer, Scorer
from tests.models.tables import ROOT
from train.check import check
from train.network.credit_network import ACTIVATIONS, CreditNetwork
from train.network.layout import learn_encoding
from train.network.onnx_graph import _front, build_graph, build_graphs

PRODUCTION = read_model(ROOT / "configs/models/001_production.yaml")
UNKNOWN = ("", "no such category", "žluťoučký kůň", " own", "0", "日本")


def make_network(schema, feed, encoding=PRODUCTION.encoding, shape=PRODUCTION.network):
    """A network of production's shape with drawn weights: what a graph computes does not depend on fitting."""
    codes, numbers = Encoder(schema).columns(feed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layout = learn_encoding(schema, codes, numbers, encoding)
        network = CreditNetwork(layout, shape, base_rate=0.3)
    with torch.no_grad():
        for first in network.weights[:1]:
            first.mul_(2)  # initial weights are small, and so would be what the network tells applicants apart by
    return network


def edges(schema, rows=300):
    """Rows that no table has: unknown and missing texts, missing numbers, the ends of float32 and of each range."""
    drawn = np.random.default_rng(1)
    feed = {}
    for feature in schema.inputs:
        if feature.type == "categorical":
            pool = np.array([*feature.categories, *UNKNOWN], dtype=object)
        else:
            top = np.finfo(np.float32).max
            pool = np.array([feature.lowest, feature.highest, np.nan, 0, -0.0, 1e-38, top, -top], dtype=np.float32)
        feed[feature.name] = drawn.choice(pool, size=(rows, 1))
    return feed


def take(feed, rows):
    return {name: column[rows] for name, column in feed.items()}


@pytest.fixture(scope="module")
def table(schema):
    """The whole table."""
    return schema.feed_columns(check(schema.dataset, 2).columns)


@pytest.fixture(scope="module")
def feed(schema, table):
    """The whole table and the rows that no table has."""
    return {name: np.concatenate([column, edges(schema)[name]]) for name, column in table.items()}


@pytest.fixture(scope="module")
def network(schema, table):
    """Of the shape and encoding of production."""
    return make_network(schema, table)


@pytest.fixture(scope="module")
def model(schema, network):
    """The bytes of the graph."""
    return build_graph(schema, network).SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
def scorer(schema, model):
    """ONNX Runtime around the graph."""
    return Scorer(model, schema)


def by_torch(schema, network, feed):
    codes, numbers = Encoder(schema).columns(feed)
    with torch.no_grad():
        return deepcopy(network).double().eval()(torch.from_numpy(codes), torch.from_numpy(numbers)).numpy()


def test_the_encoder_makes_what_the_front_of_the_graph_makes(schema, feed):
    front = onnxruntime.InferenceSession(
        _front(schema, {"codes", "numbers"}, "").SerializeToString(), providers=["CPUExecutionProvider"]
    )
    made = front.run(["raw_codes", "raw_numbers"], feed)
    for array, expected in zip(made, Encoder(schema).columns(feed), strict=True):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


def test_categories_have_codes_of_their_own_and_what_is_unknown_has_none(schema):
    for feature in schema.categorical:
        codes = category_to_code(feature)
        assert sorted(codes.values()) == list(range(1, len(codes) + 1))
        assert ("" in codes) == feature.nullable
        feed = edges(schema, 1) | {feature.name: np.array([["no such category"]], dtype=object)}
        assert Encoder(schema).columns(feed)[0][0, schema.categorical.index(feature)] == 0


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("permuted", [False, True])
def test_onnx_runtime_and_pytorch_agree_to_a_millionth_and_decide_alike(schema, feed, network, scorer, size, permuted):
    expected = by_torch(schema, network, feed)
    order = np.random.default_rng(size).permutation(len(expected)) if permuted else np.arange(len(expected))
    found = np.empty_like(expected)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        found[part] = scorer.probabilities(take(feed, part))
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert np.abs(found - expected).max() <= 1e-6
    threshold = schema.dataset.threshold
    np.testing.assert_array_equal(found >= threshold, expected >= threshold)


def test_a_row_has_the_same_bits_in_every_batch(feed, scorer):
    rows = len(next(iter(feed.values())))
    alone = np.concatenate([scorer.probabilities(take(feed, slice(row, row + 1))) for row in range(rows)])
    assert len(np.unique(alone)) > 100
    for size in (2, 3, 7, 64, 1000, rows):
        order = np.random.default_rng(size).permutation(rows)
        parts = [scorer.probabilities(take(feed, order[start : start + size])) for start in range(0, rows, size)]
        assert np.concatenate(parts).tobytes() == alone[order].tobytes(), size


def test_the_graph_has_an_input_a_feature_and_one_probability_a_row(schema, model):
    graph = onnx.load_from_string(model).graph

    def described(value):
        tensor = value.type.tensor_type
        return tensor.elem_type, [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]

    kinds = {"categorical": onnx.TensorProto.STRING}
    expected = {f.name: (kinds.get(f.type, onnx.TensorProto.FLOAT), ["batch", 1]) for f in schema.inputs}
    assert {value.name: described(value) for value in graph.input} == expected
    assert [value.name for value in graph.input] == list(expected)
    assert {value.name: described(value) for value in graph.output} == {
        "probability": (onnx.TensorProto.FLOAT, ["batch"])
    }


def test_the_same_weights_give_the_same_bytes(schema, network, model):
    assert build_graph(schema, deepcopy(network)).SerializeToString(deterministic=True) == model


def assert_tells_nothing(content: bytes):
    model = onnx.load_from_string(content)
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")  # of which any three bytes may spell ".py"
    told = [str(ROOT), str(Path.home()), sys.prefix, "site-packages", ".py", "/tmp/"]
    assert [text for text in told if text.encode() in model.SerializeToString()] == []


def test_the_graph_holds_its_weights_and_nothing_of_this_machine(model):
    assert_tells_nothing(model)


def test_the_trained_model_is_one_file_that_tells_nothing_of_this_machine(trained):
    assert_tells_nothing((trained.folder / "model.onnx").read_bytes())
    assert list(trained.folder.rglob("*.data")) == []


def small(*features):
    """A schema of these features alone, and a table for it."""
    dataset = Dataset(
        name="small",
        source=Source(path="-"),
        target=Target(column="outcome", event="1"),
        costs=Costs(missed_event=1, false_alarm=1),
        features=features,
    )
    schema = Schema(dataset)
    drawn = np.random.default_rng(0)
    columns = {
        f.name: [*drawn.choice(f.categories, 50)]
        if f.type == "categorical"
        else [*drawn.integers(0, 9, 50).astype(float)]
        for f in features
    }
    return schema, schema.feed_columns(columns)


SMALL = Network(layers=(4,), members=2)
PIECE_KIND = {"numbers": "piecewise_linear"}
PIECES = Encoding(**PIECE_KIND, bins=4)
COLOUR = Feature(name="colour", type="categorical", categories=("red", "blue"))
SHADE = Feature(name="shade", type="categorical", categories=("light", "dark"), nullable=True)
AMOUNT = Feature(name="amount", type="number")
COUNT = Feature(name="count", type="integer", nullable=True)


@pytest.mark.parametrize(
    "features",
    [(AMOUNT,), (COLOUR,), (COUNT,), (AMOUNT, COUNT)],
    ids=lambda features: "+".join(f.name for f in features),
)
@pytest.mark.parametrize("encoding", [PIECES, Encoding()], ids=["piecewise", "standard"])
def test_tables_of_one_kind_of_column_work(features, encoding):
    schema, feed = small(*features)
    network = make_network(schema, feed, encoding, SMALL)
    scorer = Scorer(build_graph(schema, network).SerializeToString(), schema)
    assert list(scorer.inputs) == [feature.name for feature in features]
    assert np.abs(scorer.probabilities(feed) - by_torch(schema, network, feed)).max() <= 1e-6


@pytest.mark.parametrize("layers", [(), (5,), (6, 5), (7, 6, 5)], ids=str)
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_any_network_is_folded_into_the_same_function(layers, members, activation):
    schema, feed = small(SHADE, AMOUNT, COLOUR, COUNT)
    network = make_network(schema, feed, PIECES, Network(layers=layers, members=members, activation=activation))
    network.calibration.copy_(torch.tensor([1.7, -0.4]))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(11)
        for parameter in network.parameters():  # no bias is zero any more
            parameter.normal_()
    expected = by_torch(schema, network, feed)
    scorer = Scorer(build_graph(schema, network).SerializeToString(), schema)
    assert np.ptp(expected) > 0.1
    assert np.abs(scorer.probabilities(feed) - expected).max() <= 1e-6
    assert scorer.probabilities(take(feed, slice(0, 0))).shape == (0,)
    for row in range(5):
        assert np.abs(scorer.probabilities(take(feed, slice(row, row + 1))) - expected[row]).max() <= 1e-6


@pytest.mark.parametrize("features", [(AMOUNT,), (COLOUR,), (COUNT,), (SHADE, AMOUNT, COLOUR, COUNT)])
@pytest.mark.parametrize("rows", [1, 2, 3, 64, 200])
def test_the_network_alone_gives_rows_the_same_bits(features, rows):
    schema, feed = small(*features)
    raw, coded = build_graphs(schema, make_network(schema, feed, PIECES, SMALL))
    pick = np.random.default_rng(rows)
    applicants = []
    for _ in range(rows):
        applicant = {}
        for feature in features:
            if feature.nullable and pick.random() < 0.4:
                applicant |= {feature.name: None} if pick.random() < 0.5 else {}
            elif feature.type == "categorical":
                applicant[feature.name] = str(pick.choice(feature.categories))
            else:
                applicant[feature.name] = float(pick.integers(-5, 60))
        applicants.append(msgspec.convert(applicant, schema.row))
    scored = EncodedScorer(coded.SerializeToString(), schema).score(applicants)
    assert scored == Scorer(raw.SerializeToString(), schema).score(applicants)


@pytest.mark.parametrize(
    "name",
    ["mean", "scale", "codes", "numbers", "batch", "code_0", "raw_codes", "raw_numbers", "weights.0", "/Cast_output_0"],
)
def test_a_feature_may_be_called_anything(name):
    schema, feed = small(Feature(name=name, type="number"), COLOUR)
    network = make_network(schema, feed, PIECES, SMALL)
    scorer = Scorer(build_graph(schema, network).SerializeToString(), schema)
    assert np.abs(scorer.probabilities(feed) - by_torch(schema, network, feed)).max() <= 1e-6


@pytest.mark.parametrize(
    "values",
    [
        [1e9 + step for step in range(50)],  # float32 steps by 64 here
        [20_240_101.0 + step for step in range(50)],
        [3.4e38, -3.4e38] * 25,
        [1e-38, 2e-38] * 25,
        [0.1] * 50,
        [None] * 50,
    ],
    ids=["large and close", "dates", "ends of float32", "tiny", "constant", "all missing"],
)
@pytest.mark.parametrize("encoding", [PIECES, Encoding()], ids=["piecewise", "standard"])
def test_numbers_of_any_size_give_probabilities(values, encoding):
    schema, feed = small(Feature(name="amount", type="number", nullable=True), COLOUR)
    feed |= {"amount": column(schema.numeric[0], values)}
    network = make_network(schema, feed, encoding, SMALL)
    with torch.no_grad():
        codes, numbers = Encoder(schema).columns(feed)
        encoded = network.encode(torch.from_numpy(codes), torch.from_numpy(numbers))
    assert torch.isfinite(encoded).all()
    assert np.isfinite(Scorer(build_graph(schema, network).SerializeToString(), schema).probabilities(feed)).all()


@pytest.mark.parametrize("bins", range(2, 65, 7))
def test_edges_are_values_of_the_table(bins):
    schema, _ = small(AMOUNT)
    for rows in (25, 60, 143):
        values = [float(row % 12) for row in range(rows)]
        network = make_network(
            schema, schema.feed_columns({"amount": values}), Encoding(**PIECE_KIND, bins=bins), SMALL
        )
        start, width = network.ramp_start[1:], network.ramp_width[1:]  # the first is the line
        edges = [*start.tolist(), (start + width).tolist()[-1]]
        assert set(edges) <= set(values)
        assert len(set(edges)) == len(edges) >= min(bins, 11)


def test_what_the_table_never_shows_moves_nothing():
    features = (
        Feature(name="shade", type="categorical", categories=("light", "dark", "none"), nullable=True),
        Feature(name="rate", type="number", nullable=True),
        Feature(name="count", type="integer"),
    )
    schema, _ = small(*features)
    shown = schema.feed_columns({"shade": ["light", "dark"] * 25, "rate": [2.0] * 50, "count": [*range(50)]})
    scorer = Scorer(build_graph(schema, make_network(schema, shown, PIECES, SMALL)).SerializeToString(), schema)

    other = take(shown, np.arange(1)) | {"shade": np.array([["no such"]], dtype=object)}
    unseen = [{"shade": np.array([["none"]], dtype=object)}, {"shade": np.array([[""]], dtype=object)}]
    unseen += [{"rate": np.array([[rate]], dtype=np.float32)} for rate in (np.nan, -1e6, 1e6)]
    for values in unseen:
        assert scorer.probabilities(other | values) == scorer.probabilities(other)
