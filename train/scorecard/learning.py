"""Learns a scorecard: bins and weights of evidence of every column, and the logistic regression that weighs them.

Owns the model as a table of bins. Leaves binning to `train.scorecard.binning`, and the graph to
`train.network.scorecard_network`. The same rows give the same card: nothing is drawn but the folds of the calibration.

A coefficient below zero would turn a column around, and points would contradict its bins: such columns are left out,
the lowest first. The calibration is fitted to rows that a card of the other folds has not seen (Platt, 1999), because
bins and weights are too sure of the rows that they come from.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from configs.feature import Feature
from configs.model import ModelConfig, Scorecard
from models.encoding import Encoder, category_to_code
from models.schema import Schema
from train.calibration import RIDGE_C, rising
from train.customers import folds_by_customer
from train.population import event_share, logit_shift, row_weights
from train.scorecard.binning import SMOOTHING, optimal_bins
from train.tables.table import Table

TINY = 1e-12  # what a category counts at least, as every row of it may count nothing
LEAST_WEIGHT = 1e-6  # of a column in the regression; one with less is left out


@dataclass(frozen=True)
class Column:
    """The bins of one column.

    Attributes:
        feature: of the dataset file.
        cuts: of a number: the smallest value of each bin but the first.
        categories: of a category: the bin of each code that the training rows have.
        log_odds: `[bins]`, what each bin adds to the log-odds of the event, before the calibration.
        missing: the same of a missing number; None where no training row lacks it.
        rows: `[bins]`, of the training part.
    """

    feature: Feature
    cuts: list[float]
    categories: dict[int, int]
    log_odds: NDArray[np.float64]
    missing: float | None
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Card:
    """A scorecard; the log-odds of an applicant are `slope * (base + sum of its bins) + intercept`."""

    columns: list[Column]
    base: float
    slope: float = 1.0
    intercept: float = 0.0


class Rows(NamedTuple):
    """The rows that a card is learned from.

    Attributes:
        codes: `[rows, categorical]`, 0 for unknown.
        numbers: `[rows, numeric]`, NaN for missing.
        target: `[rows]`.
        counts: `[rows]`, what each counts, with a mean of 1.
    """

    codes: NDArray[np.int64]
    numbers: NDArray[np.float32]
    target: NDArray[np.int64]
    counts: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> "Rows":
        """Some of them."""
        return Rows(self.codes[chosen], self.numbers[chosen], self.target[chosen], self.counts[chosen])


def learn(schema: Schema, table: Table, config: ModelConfig, settings: Scorecard) -> Card:
    """The calibrated card of a training part.

    Args:
        schema: the compiled dataset.
        table: the training part.
        config: the model file; folds and seed of its training are those of the calibration.
        settings: its scorecard.
    """
    weights = row_weights(table.target, table.weight, None)
    counts = np.ones(len(table.target)) if weights is None else weights
    rows = Rows(*Encoder(schema).columns(table.arrays), table.target, counts)
    fold = _folds(table, config.training.folds, np.random.default_rng(config.training.seed))
    held_out = np.empty(len(table.target))
    for number in range(config.training.folds):
        out = fold == number
        card = _uncalibrated(schema, rows.of(~out), settings)
        held_out[out] = card.base + contributions(card, schema, rows.codes[out], rows.numbers[out]).sum(axis=1)
    slope, intercept = rising(held_out, table.target, weights)
    intercept += logit_shift(table.target, table.weight, schema.dataset.prior)
    card = _uncalibrated(schema, rows, settings)
    return Card(card.columns, card.base, slope, intercept)


def _folds(table: Table, folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each row, stratified; rows of one customer share one."""
    if len(table.group):
        return folds_by_customer(table.target, table.group, folds, rng)
    fold = np.empty(len(table.target), dtype=np.int64)
    for outcome in (0, 1):
        rows = rng.permutation(np.flatnonzero(table.target == outcome))
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def contributions(
    card: Card, schema: Schema, codes: NDArray[np.int64], numbers: NDArray[np.float32]
) -> NDArray[np.float64]:
    """What each column adds to the log-odds of rows before the calibration, `[rows, columns]`."""
    found = np.zeros((len(codes), len(card.columns)))
    for place, column in enumerate(card.columns):
        if column.feature.type == "categorical":
            table = np.zeros(len(category_to_code(column.feature)) + 1)
            for code, which in column.categories.items():
                table[code] = column.log_odds[which]
            found[:, place] = table[codes[:, schema.categorical.index(column.feature)]]
        else:
            values = numbers[:, schema.numeric.index(column.feature)].astype(np.float64)
            lacking = np.isnan(values)
            known = column.log_odds[np.searchsorted(column.cuts, np.where(lacking, 0.0, values), side="right")]
            found[:, place] = np.where(lacking, column.missing or 0.0, known)
    return found


def _uncalibrated(schema: Schema, rows: Rows, settings: Scorecard) -> Card:
    columns = [_category(feature, rows.codes[:, i], rows, settings) for i, feature in enumerate(schema.categorical)]
    columns += [_number(feature, rows.numbers[:, i], rows, settings) for i, feature in enumerate(schema.numeric)]
    evidence = contributions(Card(columns, 0.0), schema, rows.codes, rows.numbers)
    factors, base = _weigh(evidence, rows)
    weighed = [
        replace(
            each,
            log_odds=each.log_odds * factor,
            missing=None if each.missing is None else each.missing * float(factor),
        )
        for each, factor in zip(columns, factors, strict=True)
    ]
    return Card(weighed, base)


def _weigh(evidence: NDArray[np.float64], rows: Rows) -> tuple[NDArray[np.float64], float]:
    """The coefficient of each column, 0 where it is left out, and the intercept."""
    share = event_share(rows.target, rows.counts)
    factors, base = np.zeros(evidence.shape[1]), float(np.log(share / (1 - share)))
    used = np.flatnonzero(evidence.std(axis=0) > 0)
    while len(used):
        model = LogisticRegression(C=RIDGE_C, tol=1e-8, max_iter=1000)
        model.fit(evidence[:, used], rows.target, rows.counts)
        if model.coef_[0].min() > LEAST_WEIGHT:
            factors[used] = model.coef_[0]
            return factors, float(model.intercept_[0])
        used = np.delete(used, model.coef_[0].argmin())
    return factors, base


def _category(feature: Feature, codes: NDArray[np.int64], rows: Rows, settings: Scorecard) -> Column:
    """Categories in the order of their event rate, joined."""
    size = len(category_to_code(feature)) + 1
    events = np.bincount(codes, weights=rows.target * rows.counts, minlength=size)
    counted, number = np.bincount(codes, weights=rows.counts, minlength=size), np.bincount(codes, minlength=size)
    seen = np.flatnonzero(number[1:]) + 1
    order = seen[np.argsort(events[seen] / np.maximum(counted[seen], TINY), kind="stable")]
    bins = optimal_bins(events[order], (counted - events)[order], settings.bins, _least(rows, settings), 1)
    place = np.searchsorted(bins.starts, np.arange(len(order)), side="right") - 1
    in_bins = np.bincount(place, weights=number[order], minlength=len(bins.starts)).astype(np.int64)
    return Column(feature, [], dict(zip(order.tolist(), place.tolist(), strict=True)), bins.woe, None, in_bins)


def _number(feature: Feature, values: NDArray[np.float32], rows: Rows, settings: Scorecard) -> Column:
    """Quantiles of a number, joined; a missing one is a bin by itself."""
    lacking = np.isnan(values)
    known = values[~lacking].astype(np.float64)
    if not len(known):
        return Column(feature, [], {}, np.zeros(1), None, np.zeros(1, dtype=np.int64))
    target, counts = rows.target[~lacking], rows.counts[~lacking]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, settings.classes + 1)[:-1], method="inverted_cdf"))
    place = np.searchsorted(edges, known, side="right") - 1
    events = np.bincount(place, weights=target * counts, minlength=len(edges))
    others = np.bincount(place, weights=(1 - target) * counts, minlength=len(edges))
    bins = optimal_bins(events, others, settings.bins, _least(rows, settings), feature.direction)
    cuts = edges[bins.starts[1:]]
    in_bins = np.bincount(np.searchsorted(cuts, known, side="right"), minlength=len(bins.starts))
    missing = None
    if lacking.any():
        outcomes = (rows.target == 1) * rows.counts, (rows.target == 0) * rows.counts
        shares = [(each[lacking].sum() + SMOOTHING) / (each.sum() + SMOOTHING) for each in outcomes]
        missing = float(np.log(shares[0] / shares[1]))
    return Column(feature, cuts.tolist(), {}, bins.woe, missing, in_bins)


def _least(rows: Rows, settings: Scorecard) -> float:
    return max(1.0, settings.least_share * float(rows.counts.sum()))


def names_of(column: Column) -> list[str]:
    """Each bin in words, in the order of `log_odds`."""
    if column.feature.type == "categorical":
        texts = {code: text or "missing" for text, code in category_to_code(column.feature).items()}
        bins: list[list[str]] = [[] for _ in column.log_odds]
        for code, which in sorted(column.categories.items()):
            bins[which].append(texts[code])
        return [", ".join(each) for each in bins]
    if not column.cuts:
        return ["any"]
    shown = [f"{cut:.7g}" for cut in column.cuts]
    return [f"below {shown[0]}", *(f"{low} to below {high}" for low, high in pairwise(shown)), f"{shown[-1]} and above"]
