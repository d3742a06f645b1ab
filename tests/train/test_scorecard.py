"""The scorecard: its bins are the best there are, its graph is its points table, and a person can read it."""

import itertools
import re

import msgspec
import numpy as np
import pytest

from configs.model import read_model
from configs.policy import ScoreScale
from configs.source import ConfigError
from models.artifact import Artifact
from models.background import log_odds
from models.encoding import Encoder
from models.points import Points
from models.schema import Schema
from models.scorer import Scorer
from tests.conftest import ROOT, Trained, lenient_gates, run_training
from tests.models.tables import hand_made, write_hand_made
from tests.train.small import UNDRAWN
from train.check import check
from train.export import export
from train.fit import fit
from train.network.scorecard_network import network_of
from train.publishing.points_table import markdown, points_table
from train.scorecard.binning import SMOOTHING, optimal_bins
from train.scorecard.learning import contributions, learn, names_of
from train.tables.column import NumberColumn
from train.tables.table import Table

FILE = ROOT / "configs/models/003_scorecard.yaml"
CONFIG = read_model(FILE)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The table made by hand, with a scale: missing values, odd names, a protected column."""
    dataset = hand_made(tmp_path_factory.mktemp("hand_made"))
    scale = ScoreScale(points=600, odds=50, double=20)
    return Schema(msgspec.structs.replace(dataset, score=scale)), check(dataset, 20)


@pytest.fixture(scope="module")
def card(data):
    schema, table = data
    return learn(schema, table, CONFIG, CONFIG.scorecard)


def value_of(starts, events, others):
    """Information value of bins, and whether each has the rows; worked out one by one."""
    whole = np.array([events.sum(), others.sum()]) + SMOOTHING
    total, woes = 0.0, []
    for start, end in itertools.pairwise([*starts, len(events)]):
        shares = (np.array([events[start:end].sum(), others[start:end].sum()]) + SMOOTHING) / whole
        woes.append(np.log(shares[0] / shares[1]))
        total += (shares[0] - shares[1]) * woes[-1]
    return total, woes


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("direction", [1, -1, 0])
def test_no_other_bins_that_are_allowed_tell_more(seed, direction):
    rng = np.random.default_rng(seed)
    events, others = rng.integers(0, 20, 8), rng.integers(0, 40, 8)
    found = optimal_bins(events, others, most=4, least_rows=25, direction=direction)
    best = 0.0
    for count in range(4):
        for inner in itertools.combinations(range(1, 8), count):
            starts = [0, *inner]
            rows = [(events + others)[a:b].sum() for a, b in itertools.pairwise([*starts, 8])]
            value, woes = value_of(starts, events, others)
            steps = np.diff(woes)
            ways = [(steps >= 0).all(), (steps <= 0).all()]
            if min(rows) >= 25 and (any(ways) if direction == 0 else ways[direction < 0]):
                best = max(best, value)
    assert value_of(found.starts, events, others)[0] == pytest.approx(best, abs=1e-12)
    assert len(found.starts) <= 4


def test_a_table_of_few_rows_is_one_bin():
    assert optimal_bins(np.array([1, 0]), np.array([0, 1]), 3, 50, 0).starts == [0]


def test_the_graph_gives_the_log_odds_of_the_card_for_every_value(data, card):
    schema, table = data
    network = network_of(card, schema)
    model, _, worst = export(schema, network, table)  # which compares 200 edge cases and both graphs
    assert worst < 1e-6
    feed = schema.feed_columns(table.columns)
    found = log_odds(Scorer(model, schema).probabilities(feed))
    codes, numbers = Encoder(schema).columns(table.arrays)
    parts = contributions(card, schema, codes, numbers)
    expected = card.slope * (card.base + parts.sum(axis=1)) + card.intercept
    assert np.abs(found - expected).max() < 2e-3  # weights are rounded to 2^-14 each


def test_a_cut_is_sharp(data, card):
    """The last number below a cut has the points of one bin, the cut itself those of the next."""
    schema, table = data
    scorer = Scorer(export(schema, network_of(card, schema), table)[0], schema)
    tried = 0
    for column in card.columns:
        for place, cut in enumerate(column.cuts):
            below = np.nextafter(np.float32(cut), np.float32(-np.inf))
            row = {name: values[:1] for name, values in schema.feed_columns(table.columns).items()}
            odds = []
            for value in (below, np.float32(cut)):
                feed = row | {column.feature.name: np.array([[value]], dtype=np.float32)}
                odds.append(log_odds(scorer.probabilities(feed))[0])
            step = card.slope * (column.log_odds[place + 1] - column.log_odds[place])
            assert odds[1] - odds[0] == pytest.approx(step, abs=1e-3)
            tried += 1
    assert tried >= 1


def test_the_points_of_the_table_add_up_to_the_score(data, card):
    schema, table = data
    points = Points(schema.dataset.score)
    codes, numbers = Encoder(schema).columns(table.arrays)
    parts = card.slope * contributions(card, schema, codes, numbers)
    start = points.offset - points.factor * (card.slope * card.base + card.intercept)
    sums = start - np.round(points.factor * parts, 1).sum(axis=1)
    probability = 1 / (1 + np.exp(-(card.slope * card.base + card.intercept + parts.sum(axis=1))))
    assert np.abs(sums - points.scores(probability)).max() < 1
    text = points_table(schema, CONFIG, table)
    assert text == markdown(card, schema.dataset)
    assert f"An applicant starts with {start:.1f} points" in text
    assert "| `Größe der Wohnung` | missing |" in text
    assert "log-odds" in markdown(card, msgspec.structs.replace(schema.dataset, score=None))


def test_another_model_has_no_such_table(data):
    assert points_table(data[0], read_model(ROOT / "configs/models/000_baseline.yaml"), data[1]) == ""


def test_fitting_gives_that_network_and_the_same_again(data, card):
    schema, table = data
    once, again = (fit(schema, table, CONFIG).network.state_dict() for _ in range(2))
    expected = network_of(card, schema).state_dict()
    assert all(np.array_equal(once[name].numpy(), again[name].numpy()) for name in expected)
    assert all(np.array_equal(once[name].numpy(), value.numpy()) for name, value in expected.items())


def drawn(direction):
    """A table in which `x` raises the risk, `y` says nothing and a third of `x` is missing."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=3000), rng.normal(size=3000)
    target = (rng.random(3000) < 1 / (1 + np.exp(1 - 1.5 * x))).astype(np.int64)
    x[rng.random(3000) < 0.3] = np.nan
    features = [
        {"name": "x", "type": "number", "nullable": True} | ({"monotone": direction} if direction else {}),
        {"name": "y", "type": "number"},
    ]
    dataset = {"name": "a", "source": {"path": "a"}, "target": {"column": "t", "event": "e"}, "features": features}
    from configs.dataset import Dataset

    schema = Schema(msgspec.convert(dataset | {"costs": {"missed_event": 1, "false_alarm": 1}}, Dataset))
    return schema, Table({"x": NumberColumn(x), "y": NumberColumn(y)}, target)


@pytest.mark.parametrize("direction", [None, "increasing", "decreasing"])
def test_bins_go_one_way_and_never_against_the_dataset_file(direction):
    schema, table = drawn(direction)
    card = learn(schema, table, CONFIG, CONFIG.scorecard)
    (x,) = [column for column in card.columns if column.feature.name == "x"]
    if direction == "decreasing":
        assert (np.diff(x.log_odds) <= 0).all()  # what the truth denies: no bins are left, or they say nothing
    else:
        assert len(x.log_odds) >= 3
        assert (np.diff(x.log_odds) > 0).all()
        network = network_of(card, schema)
        assert network.is_monotone
        assert card.slope == pytest.approx(1, abs=0.2)
    assert len(names_of(x)) == len(x.log_odds)


def test_a_row_that_counts_twice_is_two_rows_and_a_prior_moves_every_log_odds():
    schema, table = drawn("increasing")
    weight = np.random.default_rng(1).integers(1, 3, 3000).astype(float)
    twice = table.rows(np.repeat(np.arange(3000), weight.astype(int)))
    weighted = Table(table.columns, table.target, weight=weight)
    one, other = (learn(schema, each, CONFIG, CONFIG.scorecard) for each in (weighted, twice))
    for column, doubled in zip(one.columns, other.columns, strict=True):
        if column.cuts == doubled.cuts:  # the quantiles are of rows
            assert column.log_odds == pytest.approx(doubled.log_odds, abs=0.02)
    assert one.base == pytest.approx(other.base, abs=0.02)
    rare = Schema(msgspec.structs.replace(schema.dataset, prior=0.05))
    moved, as_drawn = learn(rare, table, CONFIG, CONFIG.scorecard), learn(schema, table, CONFIG, CONFIG.scorecard)
    share = table.target.mean()
    assert moved.slope == as_drawn.slope
    assert moved.intercept - as_drawn.intercept == pytest.approx(np.log(0.05 / 0.95) - np.log(share / (1 - share)))


def test_a_scorecard_beside_a_network_is_refused(tmp_path):
    path = tmp_path / "both.yaml"
    path.write_text("scorecard: {bins: 4}\nnetwork: {layers: [8]}\n")
    with pytest.raises(ConfigError, match="a scorecard has no network; remove network and encoding, or remove"):
        read_model(path)


@pytest.mark.pipeline
def test_the_pipeline_publishes_it_with_its_points_on_the_card(tmp_path):
    path = write_hand_made(tmp_path)
    path.write_text(path.read_text() + "score: {points: 600, odds: 50, double: 20}\n")
    lenient_gates(tmp_path)
    done = run_training(tmp_path, path.name, FILE, "--gates", "gates.yaml", **UNDRAWN)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Trained.in_store(done.stdout.strip(), tmp_path).folder
    text = (folder / "model_card.md").read_text()
    table = text.split("## Points of each bin")[1].split("\n## ")[0]
    start = float(re.search(r"starts with (\S+) points", table)[1])
    artifact = Artifact(folder, retrain="")
    example = artifact.manifest.example
    added = [float(line.split("|")[-2]) for line in table.splitlines() if is_bin_of(line, example)]
    row = msgspec.convert(example | {"application_id": "-"}, artifact.schema.row)
    ((probability, _),) = artifact.encoded_scorer().score([row])
    assert len(added) == len(artifact.schema.inputs)
    assert abs(start + sum(added) - Points(artifact.schema.dataset.score).scores([probability])[0]) < 1


def is_bin_of(line, example):
    """Whether a line of the table is the bin of an applicant in its column."""
    if not line.startswith("| `"):
        return False
    name, text = (cell.strip(" `") for cell in line.split("|")[1:3])
    if name not in example or text == "missing":
        return False
    value = example[name]
    if isinstance(value, str):
        return value in text.split(", ")
    low = re.match(r"(\S+) (?:to|and)", text)
    high = re.search(r"below (\S+)", text)
    return (low is None or value >= float(low[1])) and (high is None or value < float(high[1]))
