"""The made-up applicants that explanations start from, drawn from the training part.

Owns how they are drawn. Leaves their file and their weights to `models.background`.
"""

import numpy as np
from numpy.typing import NDArray

from models.background import Background, log_odds, weights
from models.schema import Schema, Values
from models.scorer import Scorer
from train.export import onnx_probabilities
from train.tables.table import Table

APPLICANTS = 64  # a reason's log-odds move by 0.004 with another draw, by 0.012 with 16: benchmarks/explain.py
POOL = 4096  # applicants drawn first, to learn what a value counts for at the base rate
SEED = 20261121  # of the draws; they are a part of the model's version


def background(schema: Schema, model: bytes, training: Table, count: int = APPLICANTS, seed: int = SEED) -> Background:
    """The reference applicants of one model.

    Each column is drawn for itself, spread evenly over its values as a Latin hypercube is (McKay et al., 1979), so that
    no two values of one person stay together. Independent draws come out better than the base rate on average: the
    mean of log-odds is not the log-odds of the mean. So a pool of them is weighted to hit the base rate, and the
    reference is drawn from its columns, which are then those of applicants at the base rate.

    Args:
        schema: the compiled dataset.
        model: bytes of the graph.
        training: the rows that it was trained on.
        count: applicants to draw.
        seed: of the draws.
    """
    base_rate = float(training.target.mean())
    even = np.ones(len(training.target))
    names = [feature.name for feature in schema.inputs]
    pool = {name: _spread(training.columns[name], even, POOL, (seed, 0, i)) for i, name in enumerate(names)}
    odds = log_odds(onnx_probabilities(Scorer(model, schema), schema.feed_columns(pool)))
    shares = weights(odds, base_rate)
    drawn = [_spread(pool[name], shares, count, (seed, 1, i)) for i, name in enumerate(names)]
    applicants = tuple(dict(zip(names, row, strict=True)) for row in zip(*drawn, strict=True))
    return Background(base_rate=base_rate, applicants=applicants)


def _spread(values: Values, shares: NDArray[np.float64], count: int, seed: tuple[int, ...]) -> Values:
    """`count` of `values`: by size, one from the middle of each of as many equal `shares`; in a random order."""
    listed = list(values)
    order = sorted(range(len(listed)), key=lambda row: _place(listed[row]))
    reached = np.cumsum(shares[order])
    places = np.searchsorted(reached, (np.arange(count) + 0.5) / count * reached[-1])
    picked = [listed[order[place]] for place in places]
    return [picked[place] for place in np.random.default_rng(seed).permutation(count)]


def _place(value: str | float | None) -> tuple[bool, str | float]:
    """Where a value stands among others; missing ones, which do not compare, come last."""
    return (True, 0) if value is None else (False, value)
