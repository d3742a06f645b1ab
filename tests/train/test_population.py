"""What rows count, and for which share of the event: a row of weight two is two rows, and a prior moves every logit."""

import numpy as np
import onnx
import pytest

from configs.dataset import Audit, Costs, Dataset, Source, Target
from configs.feature import Feature
from configs.model import ModelConfig, Network, Training
from models.schema import Schema
from models.scorer import Scorer
from train.calibration import calibrate, of_mean
from train.evaluate import evaluate, logit
from train.evaluation.fairness import fairness
from train.evaluation.figures import calibration_points
from train.evaluation.paired import roc_auc_gain
from train.evaluation.resampling import calibration_slope, resampled_cells, resamples_of, roc_auc
from train.fit import fit
from train.network.onnx_graph import build_graph
from train.opponents.entrants import opponents
from train.population import logit_shift, mean_of, row_weights
from train.stakes import Stakes
from train.tables.column import NumberColumn
from train.tables.table import Table

COSTS = Costs(missed_event=5, false_alarm=1)
STAKES = Stakes(5, 1, threshold=1 / 6)
NONE, UNGROUPED = np.zeros(0), np.zeros(0, dtype=np.int64)
CONFIG = ModelConfig(network=Network(layers=(4,), members=2), training=Training(steps=120, folds=2, learning_rate=0.02))


@pytest.fixture
def scored():
    """Outcomes, probabilities and whole weights of 400 rows, and the number of each row as often as it counts."""
    drawn = np.random.default_rng(0)
    probability = drawn.uniform(0.02, 0.9, 400)
    target = (drawn.random(400) < probability**1.3).astype(np.int64)
    weights = drawn.integers(1, 4, 400).astype(float)
    return target, probability.astype(np.float32), weights, np.repeat(np.arange(400), weights.astype(int))


def test_every_metric_of_a_row_that_counts_twice_is_that_of_two_rows(scored):
    target, probability, weights, repeated = scored
    one = evaluate(target, probability, STAKES, weights).as_dict()
    other = evaluate(target[repeated], probability[repeated], STAKES).as_dict()
    for name in one.keys() - {"rows"}:
        assert one[name] == pytest.approx(other[name], abs=1e-6), name


def test_so_is_every_figure_that_gates_judge(scored):
    target, probability, weights, repeated = scored
    logits = logit(probability)
    again = target[repeated]
    assert roc_auc(target, probability, weights) == pytest.approx(roc_auc(again, probability[repeated]), abs=1e-12)
    slope = calibrate(logits[repeated], again)[0]
    assert calibration_slope(target, logits, 1.0, weights) == pytest.approx(slope, abs=1e-6)
    other = probability + np.random.default_rng(1).normal(0, 0.1, 400)
    gain = roc_auc_gain(target, probability, other, 0.9, weights)
    assert gain.value == pytest.approx(roc_auc_gain(again, probability[repeated], other[repeated], 0.9).value, abs=1e-9)
    audit = Audit(column="home", groups={"own": ("own",), "rent": ("rent",)})
    home, declined = np.array(["own", "rent"], dtype=object)[np.arange(400) % 2], probability > 0.4
    found = fairness(audit, home, target, declined, 30, 0.9, 100, weights)
    expected = fairness(audit, home[repeated], again, declined[repeated], 30, 0.9, 100)
    assert found.approval_ratio.value == pytest.approx(expected.approval_ratio.value)
    assert found.odds_difference.value == pytest.approx(expected.odds_difference.value)
    assert [group.approved for group in found.groups] == pytest.approx([group.approved for group in expected.groups])


def test_calibration_counts_rows_by_their_weights(scored):
    target, probability, weights, repeated = scored
    logits = np.stack([logit(probability), logit(probability) + np.random.default_rng(2).normal(0, 0.3, 400)])
    held_out = np.arange(400) % 2 == np.arange(2)[:, None]
    found = of_mean(logits, held_out, target, weights)
    assert found == pytest.approx(of_mean(logits[:, repeated], held_out[:, repeated], target[repeated]), abs=1e-6)


def test_equal_weights_change_no_interval_and_repeated_customers_widen_it(scored):
    target, probability, _, _ = scored
    other = probability + np.random.default_rng(1).normal(0, 0.1, 400)
    plain = roc_auc_gain(target, probability, other, 0.9)
    even = roc_auc_gain(target, probability, other, 0.9, np.ones(400))
    assert (even.low, even.high) == (pytest.approx(plain.low, abs=1e-4), pytest.approx(plain.high, abs=1e-4))
    twice = np.tile(np.arange(400), 2)
    naive = roc_auc_gain(target[twice], probability[twice], other[twice], 0.9)
    by_customer = roc_auc_gain(target[twice], probability[twice], other[twice], 0.9, None, twice)
    assert by_customer.low == pytest.approx(plain.low, abs=1e-4)
    assert naive.low > by_customer.low


@pytest.mark.parametrize("grouped", [False, True])
def test_resampled_cells_vary_as_resampled_rows_do(grouped):
    drawn = np.random.default_rng(0)
    cell, weights = drawn.integers(0, 4, 300), drawn.exponential(1, 300)
    group = np.arange(300) if grouped else UNGROUPED
    found = resampled_cells(cell, 4, weights, 4000, drawn, group)
    rows = [drawn.integers(300, size=300) for _ in range(4000)]
    expected = np.array([np.bincount(cell[part], weights=weights[part], minlength=4) for part in rows])
    assert found.mean(axis=0) == pytest.approx(expected.mean(axis=0), rel=0.02)
    assert found.std(axis=0) == pytest.approx(expected.std(axis=0), rel=0.06)


def test_a_resample_of_customers_has_all_rows_of_each_and_the_share_of_the_prior(scored):
    target = scored[0]
    group = np.arange(400) // 4
    for rows, counts in resamples_of(target, NONE, group, 0.04, 20):
        times = np.bincount(rows, minlength=400).reshape(100, 4)
        assert (times == times[:, :1]).all()
        assert mean_of(target[rows], counts) == pytest.approx(0.04)


def test_a_prior_makes_events_as_rare_as_it_says_beside_the_weights_of_the_rows():
    target, weight = np.array([1, 1, 0, 0, 0]), np.array([1.0, 3.0, 1.0, 1.0, 2.0])
    counts = row_weights(target, weight, 0.1)
    assert mean_of(target, counts) == pytest.approx(0.1)
    assert counts[1] == pytest.approx(3 * counts[0])
    assert row_weights(target, NONE, None) is None


def made(rows=500, seed=0, intercept=-0.3):
    drawn = np.random.default_rng(seed)
    number = drawn.normal(size=rows).astype(np.float32).astype(float)
    target = (drawn.random(rows) < 1 / (1 + np.exp(-(1.5 * number + intercept)))).astype(np.int64)
    home = np.array(["own", "rent"], dtype=object)[drawn.integers(0, 2, rows)]
    return Table({"number": NumberColumn(number), "home": home}, target)


def schema_of(prior=None):
    return Schema(
        Dataset(
            name="x",
            source=Source(path="x.csv"),
            target=Target(column="y", event="1"),
            costs=COSTS,
            features=(
                Feature(name="number", type="number", minimum=-20, maximum=20),
                Feature(name="home", type="categorical", categories=("own", "rent")),
            ),
            prior=prior,
        )
    )


def scores(graph, schema, table):
    content = graph.SerializeToString(deterministic=True)
    return Scorer(content, schema).probabilities(schema.feed_columns(table.columns)).astype(np.float64)


def test_a_prior_is_one_constant_more_in_the_graph_and_moves_every_logit_by_it():
    table, plain, rare = made(), schema_of(), schema_of(0.05)
    without, with_prior = (build_graph(schema, fit(schema, table, CONFIG).network) for schema in (plain, rare))
    shift = logit_shift(table.target, NONE, 0.05)
    moved = logit(scores(with_prior, rare, table)) - logit(scores(without, plain, table))
    assert moved == pytest.approx(np.full(500, shift), abs=1e-4)
    assert [node.op_type for node in with_prior.graph.node] == [node.op_type for node in without.graph.node]
    constants = [
        {part.name: onnx.numpy_helper.to_array(part).tobytes() for part in graph.graph.initializer}
        for graph in (without, with_prior)
    ]
    assert sum(constants[0][name] != content for name, content in constants[1].items()) == 1


def test_probabilities_of_a_table_drawn_by_outcome_are_true_of_the_population():
    """Nine in ten rows without the event were never drawn; the prior brings them back."""
    everyone = made(20_000, intercept=-3)
    kept = (everyone.target == 1) | (np.random.default_rng(1).random(20_000) < 0.1)
    drawn, prior = everyone.rows(np.flatnonzero(kept)), float(everyone.target.mean())
    assert (prior, drawn.target.mean()) == (pytest.approx(0.1, abs=0.03), pytest.approx(0.5, abs=0.1))
    schema = schema_of(prior)
    small = drawn.rows(np.arange(1500))
    found = scores(build_graph(schema, fit(schema, small, CONFIG).network), schema, everyone)
    assert found.mean() == pytest.approx(prior, abs=0.03)
    counts = row_weights(drawn.target, NONE, prior)
    told = evaluate(drawn.target, found[kept].astype(np.float32), STAKES, counts)
    true = evaluate(everyone.target, found.astype(np.float32), STAKES)
    for name in ("cost", "brier", "log_loss", "precision", "calibration_slope", "calibration_intercept"):
        assert getattr(told, name) == pytest.approx(getattr(true, name), abs=0.06), name
    observed, predicted = calibration_points(drawn.target, found[kept].astype(np.float32), counts)
    assert observed == pytest.approx(predicted, abs=0.1)


@pytest.mark.parametrize("kind", ["logistic regression", "scorecard", "random forest", "gradient boosting"])
def test_every_opponent_learns_by_weights_and_speaks_of_the_prior(kind):
    table, later = made(400), made(2000, seed=1)
    plain = opponents()[kind](schema_of(), table, later).astype(float)
    rare = opponents()[kind](schema_of(0.05), table, later).astype(float)
    shift = logit_shift(table.target, NONE, 0.05)
    inside = (plain > 1e-4) & (plain < 1 - 1e-4)
    assert (logit(rare) - logit(plain))[inside] == pytest.approx(np.full(inside.sum(), shift), abs=1e-2)
    heavy = table.with_beside({"weight": np.where(table.target == 1, 3.0, 1.0), "group": np.arange(400) // 2})
    assert opponents()[kind](schema_of(), heavy, later).mean() > plain.mean() + 0.1


def test_a_network_learns_rows_by_their_weights():
    table = made(400)
    heavy = table.with_beside({"weight": np.where(table.target == 1, 3.0, 1.0)})
    schema = schema_of()
    even = table.with_beside({"weight": np.ones(400)})
    mean = {
        name: mean_of(scores(build_graph(schema, fit(schema, part, CONFIG).network), schema, table), part.weight)
        for name, part in (("plain", even), ("heavy", heavy))
    }
    assert mean["plain"] == pytest.approx(table.target.mean(), abs=0.03)
    assert mean["heavy"] == pytest.approx(mean_of(table.target, heavy.weight), abs=0.03)
