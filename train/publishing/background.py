"""The synthetic applicants that explanations compare with, drawn from the training part.

Owns how they are drawn. Leaves their file and their weights to `models.background`.
"""

import numpy as np
from numpy.typing import NDArray

from models.background import Background, log_odds, weights
from models.schema import Schema, Values
from models.scorer import Scorer
from train.evaluation.scoring import onnx_probabilities
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
    base_rate = float(training.target.mean())
    even = np.ones(len(training.target))
    names = [feature.name for feature in schema.inputs]
    pool = {name: _draw_evenly(training.columns[name], even, POOL, (seed, 0, i)) for i, name in enumerate(names)}
    odds = log_odds(onnx_probabilities(Scorer(model, schema), schema.feed_columns(pool)))
    shares = weights(odds, base_rate)
    drawn = [_draw_evenly(pool[name], shares, count, (seed, 1, i)) for i, name in enumerate(names)]
    applicants = tuple(dict(zip(names, row, strict=True)) for row in zip(*drawn, strict=True))
    return Background(base_rate=base_rate, applicants=applicants)


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
