"""The encoding of raw columns, learned from the training part: what the inputs of the first layer are.

Owns the constants. Leaves applying them to `train.network.credit_network`.

A category is a 0/1 input. A number is a set of ramps: each rises with the number from `lowest` to `highest` and is flat
outside, so a number that training did not see has the code of one between its neighbours, or of the nearest end. An
ordered count is coded cumulatively, by a ramp from each of its values to the next: `x >= v` for every value `v` of the
table, and in between for a value in between. Nothing can fall off this map, and every input of a number rises with it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.model import Encoding
from models.encoding import category_to_code
from models.schema import Schema
from train.rounding import mean_and_deviation


class Ramp(NamedTuple):
    """One input of a number `x`: `(x - start) / width`, held at `lowest` below and at `highest` above."""

    column: int  # numeric
    start: float
    width: float
    lowest: float = 0.0
    highest: float = 1.0


@dataclass(frozen=True)
class Layout:
    """The constants of the encoding.

    Attributes:
        indicators: `(column, code)` of each 0/1 input for a category; code 0 is an unknown category.
        shares: `[indicators]`, the share of the training rows that have the category.
        missing: numeric columns with a 0/1 input for a missing value.
        fill: `[numeric]`, the mean of each numeric column, which replaces a missing value.
        ramps: the inputs of the numbers.
        directions: `[F]`, 1 or -1 where the probability must rise or fall with the encoded column, 0 elsewhere.
        groups: `[F]`, the raw column of each encoded column: the indicators, `missing`, the ramps.
    """

    indicators: list[tuple[int, int]]
    shares: NDArray[np.float64]
    missing: list[int]
    fill: NDArray[np.float64]
    ramps: list[Ramp]
    directions: NDArray[np.int64]
    groups: NDArray[np.int64]


def learn_encoding(
    schema: Schema, codes: NDArray[np.int64], numbers: NDArray[np.float32], encoding: Encoding
) -> Layout:
    """Learn the encoding from the training part.

    A category that the training part lacks gets no input, and neither does a column with a single value: its weights
    would keep their random initial values.

    Args:
        schema: the compiled dataset.
        codes: `[B, categorical]`, 0 for unknown.
        numbers: `[B, numeric]`, NaN for missing.
        encoding: how numbers are encoded.
    """
    sizes = [len(category_to_code(feature)) for feature in schema.categorical]
    counts = [np.bincount(codes[:, column], minlength=size + 1) for column, size in enumerate(sizes)]
    indicators = [
        (column, code) for column, size in enumerate(sizes) for code in range(1, size + 1) if counts[column][code]
    ]
    shares = np.array([counts[column][code] / len(codes) for column, code in indicators], dtype=np.float64)
    missing = np.flatnonzero(np.isnan(numbers).any(axis=0)).tolist()
    fill = np.zeros(numbers.shape[1])
    ramps: list[Ramp] = []
    for column, feature in enumerate(schema.numeric):
        known = numbers[~np.isnan(numbers[:, column]), column].astype(np.float64)
        if len(known):
            fill[column] = mean_and_deviation(known)[0]
            ramps += _ramps(column, known, encoding, whole=feature.type == "integer")
    directions = [0] * (len(indicators) + len(missing)) + [schema.numeric[ramp.column].direction for ramp in ramps]
    first_number = codes.shape[1]
    groups = [column for column, _ in indicators]
    groups += [first_number + column for column in [*missing, *(ramp.column for ramp in ramps)]]
    return Layout(indicators, shares, missing, fill, ramps, *np.array([directions, groups], dtype=np.int64))


def _ramps(column: int, known: NDArray[np.float64], encoding: Encoding, *, whole: bool) -> list[Ramp]:
    """The inputs of one number; `known` are its values in the training part.

    >>> _ramps(0, np.array([0.0, 1.0, 4.0]), Encoding(), whole=True)
    [Ramp(column=0, start=0.0, width=1.0, lowest=0.0, highest=1.0), Ramp(column=0, start=1.0, width=3.0, lowest=0.0, highest=1.0)]
    """  # noqa: E501 - a doctest shows what is printed
    values: list[float] = np.unique(known).tolist()
    if len(values) == 1:
        return []
    if whole and len(values) <= encoding.levels_up_to:
        return [Ramp(column, lower, upper - lower) for lower, upper in pairwise(values)]
    mean, scale = mean_and_deviation(known)
    line = Ramp(column, mean, scale, (values[0] - mean) / scale, (values[-1] - mean) / scale)
    edges = _edges(known, encoding.bins) if encoding.numbers == "piecewise_linear" else []
    return [line, *(Ramp(column, lower, upper - lower) for lower, upper in pairwise(edges))]


def _edges(values: NDArray[np.float64], bins: int) -> list[float]:
    """Ascending edges at quantiles, each a value of the table: `bins + 1`, or fewer if values repeat.

    >>> _edges(np.array([6.0, 12.0, 12.0, 12.0, 24.0]), 4)
    [6.0, 12.0, 24.0]
    """
    edges: list[float] = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1), method="inverted_cdf")).tolist()
    return edges
