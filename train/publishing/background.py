"""The synthetic applicants that explanations compare with, drawn from the training part.

Owns how they are drawn. Leaves their file and their weights to `models.background`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.feature import DirectedReason
from models.background import Background, log_odds, weights
from models.schema import Schema, Values
from models.scorer import Scorer
from train.evaluation.scoring import onnx_probabilities
from train.population import event_share
from train.tables.table import Table

APPLICANTS = 64  # a reason's log-odds move by 0.004 with another draw, by 0.012 with 16: benchmarks/explain.py
POOL = 4096  # applicants drawn first, to weight the values for the base rate
SEED = 20261121  # of the draws, which affect the model's version


def background(schema: Schema, model: bytes, training: Table, count: int = APPLICANTS, seed: int = SEED) -> Background:
    """The reference applicants of one model.

    Each column is drawn independently and evenly over its values, as in a Latin hypercube (McKay et al., 1979), so that
    no two values of one person stay together. The mean log-odds of independent draws are below those of the base rate,
    because the mean of log-odds is not the log-odds of the mean. So a pool of draws is weighted to match the base rate,
    and the reference is drawn from the columns of the weighted pool.

    Args:
        schema: the compiled dataset.
        model: bytes of the graph.
        training: its training rows.
        count: applicants to draw.
        seed: of the draws.
    """
    prior = schema.dataset.prior
    base_rate = event_share(training.target, training.weight) if prior is None else prior
    even = training.weight if len(training.weight) else np.ones(len(training.target))
    names = [feature.name for feature in schema.inputs]
    pool = {name: _draw_evenly(training.columns[name], even, POOL, (seed, 0, i)) for i, name in enumerate(names)}
    odds = log_odds(onnx_probabilities(Scorer(model, schema), schema.feed_columns(pool)))
    shares = weights(odds, base_rate)
    drawn = [_draw_evenly(pool[name], shares, count, (seed, 1, i)) for i, name in enumerate(names)]
    applicants = tuple(dict(zip(names, row, strict=True)) for row in zip(*drawn, strict=True))
    directed = [feature.name for feature in schema.numeric if isinstance(feature.reason, DirectedReason)]
    known = {name: [value for value in training.columns[name] if value is not None] for name in directed}
    limits = {name: higher_from(values) for name, values in known.items() if values}
    return Background(base_rate=base_rate, applicants=applicants, higher_from=limits)


def higher_from(values: Sequence[float]) -> float:
    """The smallest of `values` with half of them below it, equal ones counted half; the largest if there is none.

    A value above the median always is high, and one below it never. The median itself may be either: 1 is low where
    most have 1 and the others more.

    >>> higher_from([1, 1, 1, 2, 3]), higher_from([1, 2, 2, 2]), higher_from([1, 2, 3])
    (2.0, 2.0, 2.0)
    """
    distinct, counts = np.unique(values, return_counts=True)
    below = np.cumsum(counts) - counts / 2
    return float(distinct[min(int(np.searchsorted(below, len(values) / 2)), len(distinct) - 1)])


def _draw_evenly(values: Values, shares: NDArray[np.float64], count: int, seed: tuple[int, ...]) -> Values:
    """`count` of `values` in random order: sorted, one from the middle of each of `count` equal parts of `shares`."""
    listed = list(values)
    order = sorted(range(len(listed)), key=lambda row: _sort_key(listed[row]))
    reached = np.cumsum(shares[order])
    places = np.searchsorted(reached, (np.arange(count) + 0.5) / count * reached[-1])
    picked = [listed[order[place]] for place in places]
    return [picked[place] for place in np.random.default_rng(seed).permutation(count)]


def _sort_key(value: str | float | None) -> tuple[bool, str | float]:
    """The sort key of a value; missing values come last."""
    return (True, 0) if value is None else (False, value)
