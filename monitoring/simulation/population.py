"""Applicants like those that a model was trained on, made of its artifact alone.

Owns: values with the distributions of the reference profile, and weights under which the scores have theirs too. Leaves
to others: what a scenario makes of them (scenarios).

The reference has one distribution per column and none of several together. Values are drawn column by column, so no
applicant is a real record; then the applicants are weighted so that, beside every column, the probabilities and the
decisions are distributed as in the reference (raking).
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.feature import Feature
from models.artifact import REFERENCE, Artifact
from monitoring.drift.distributions import LONGEST_TEXT, QUANTILES, category_counts, number_counts, number_sketch
from monitoring.drift.statistics import bin_edges
from monitoring.profiles.whylogs_compat import ColumnSketch, DatasetProfileView, sketch_of
from monitoring.simulation.raking import Margin, rake

POOL = 8_000  # applicants drawn; an hour of traffic takes some hundreds of them, by weight
BINS = 20  # of a number
PROBABILITY, DECISION = "probability", "decision"


class Population(msgspec.Struct, frozen=True):
    """Applicants to draw from.

    Attributes:
        features: of the dataset file.
        applicants: as the service takes them, without an id; a missing value is absent.
        probabilities: `[applicants]`, of the event, by the model.
        weights: `[applicants]`, sum 1.
    """

    features: Sequence[Feature]
    applicants: list[dict[str, Any]]
    probabilities: NDArray[np.float64]
    weights: NDArray[np.float64]


def population(model: Artifact, generator: np.random.Generator, rows: int = POOL) -> Population:
    """Return applicants like those of the reference of `model`."""
    reference = DatasetProfileView.deserialize((model.folder / REFERENCE).read_bytes())
    features = model.schema.dataset.features
    margins, columns = [], {}
    for feature in features:
        column = reference.get_column(feature.name)
        if column is None:
            if not model.schema.optional(feature):
                columns[feature.name] = [model.manifest.example[feature.name]] * rows
            continue
        draw = _draw_category if feature.type == "categorical" else _draw_number
        values, margin = draw(feature, sketch_of(column), rows, generator)
        columns[feature.name] = values
        margins.append(margin)
    applicants = [
        {name: value for name, value in zip(columns, values, strict=True) if value is not None}
        for values in zip(*columns.values(), strict=True)
    ]
    scored = model.encoded_scorer().score([msgspec.convert(applicant, model.schema.row) for applicant in applicants])
    probabilities = np.array([probability for probability, _ in scored])
    if (column := reference.get_column(PROBABILITY)) is not None:
        margins.append(_margin_of_numbers(sketch_of(column), probabilities))
    if (column := reference.get_column(DECISION)) is not None:
        decisions = sorted({decision for _, decision in scored})
        counts = category_counts(sketch_of(column), tuple(decisions))[: len(decisions)]
        margins.append(Margin(np.searchsorted(decisions, [decision for _, decision in scored]), _shares(counts)))
    return Population(features, applicants, probabilities, rake(margins, rows))


def _draw_category(
    feature: Feature, column: ColumnSketch, rows: int, generator: np.random.Generator
) -> tuple[list[Any], Margin]:
    """Categories with the shares of the reference, None among them where values are missing."""
    names = list({category[:LONGEST_TEXT]: category for category in reversed(feature.categories)}.values())[::-1]
    counts = category_counts(column, tuple(names))
    shares = _shares(np.append(counts[: len(names)], counts[-1]))
    codes = _quota(shares, rows, generator)
    values = [*names, None]
    return [values[code] for code in codes], Margin(codes, shares)


def _draw_number(
    feature: Feature, column: ColumnSketch, rows: int, generator: np.random.Generator
) -> tuple[list[Any], Margin]:
    """Numbers that the reference holds, evenly over its quantiles, and None where values are missing."""
    sketch = number_sketch(column)
    missing = _quota(_shares(np.array([sketch.rows, sketch.nulls], dtype=np.float64)), rows, generator).astype(bool)
    values = np.full(rows, np.nan)
    present = int((~missing).sum())
    if present:
        quantiles = sketch.sketch.get_quantiles(((np.arange(present) + 0.5) / present).tolist())
        values[~missing] = generator.permutation(np.array(quantiles))
    convert = int if feature.type == "integer" else float
    return [None if value != value else convert(value) for value in values.tolist()], _margin_of_numbers(column, values)


def _margin_of_numbers(column: ColumnSketch, values: NDArray[np.float64]) -> Margin:
    """The bins of `values` `[rows]`, NaN the last of them, and their shares in the reference."""
    sketch = number_sketch(column)
    edges = bin_edges(sketch.quantiles(QUANTILES), BINS)
    codes = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
    return Margin(codes, _shares(number_counts(sketch, edges)))


def _quota(shares: NDArray[np.float64], rows: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Codes `[rows]` in random order, as many of each as its share asks for, to the row."""
    ends = np.rint(np.cumsum(shares) * rows).astype(np.intp)
    codes: NDArray[np.intp] = generator.permutation(np.searchsorted(ends, np.arange(rows), side="right"))
    return np.minimum(codes, len(shares) - 1)


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = counts / max(counts.sum(), 1.0)
    return shares
