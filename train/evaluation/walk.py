"""A walk of each feature over every value that the dataset file allows, also where training saw none.

Owns the values to visit and what is measured on the way. How far does the probability at an unseen value depart from
those at the seen values around it? A model that codes values as equal to those of the table forgets its applicant at
any other: with delinquencies of 0 to 5 in the table and 20 allowed, the applicant with 6 would look better than the one
with 5. And how far does it move against a feature that is declared monotone? Works on the exported graph, so it holds
for any model. Leaves the bounds to `train.gate`.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.feature import Feature
from models.schema import MISSING_TEXT, Schema
from train.evaluation.results import Walk
from train.evaluation.substitution import Applicants, Probabilities, Road
from train.tables.table import Table

APPLICANTS = 100  # training rows, evenly spread, each walked through the values of one feature, all else equal
SEEN, GAPS = 16, 8  # values of a number: of the table, and in its widest gaps
BEYOND = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # shares of the way from an end of the table to the limit


def walks(schema: Schema, probabilities: Probabilities, training: Table) -> list[Walk]:
    """The walk of each input of a model.

    Args:
        schema: the compiled dataset.
        probabilities: the graph, from inputs of shape `[batch, 1]` to probabilities `[batch]`.
        training: the rows that the model was trained on.
    """
    rows = len(training.target)
    chosen = np.linspace(0, rows - 1, min(rows, APPLICANTS)).astype(np.int64)
    applicants = Applicants(schema.feed_columns(training.rows(chosen).columns), probabilities)
    found = []
    for feature in schema.inputs:
        visit = _categories if feature.type == "categorical" else _numbers
        found.append(visit(feature, training.arrays[feature.name], applicants.road(feature.name)))
    return found


def _categories(feature: Feature, column: NDArray[Any], road: Road) -> Walk:
    present = {MISSING_TEXT if text is None else text for text in column.tolist()}
    seen = [text for text in (*feature.categories, MISSING_TEXT) if text in present]
    unseen = [text for text in feature.categories if text not in seen]
    if feature.nullable and MISSING_TEXT not in seen:
        unseen.append(MISSING_TEXT)
    if not unseen:
        return Walk(feature.name, [], 0.0)
    found = road(np.array([*seen, *unseen], dtype=object))
    known, new = found[:, : len(seen)], found[:, len(seen) :]
    departure = _departure(new, known.min(axis=1, keepdims=True), known.max(axis=1, keepdims=True))
    return Walk(feature.name, [text or "missing" for text in unseen], float(departure.max()))


def _numbers(feature: Feature, column: NDArray[Any], road: Road) -> Walk:
    known = np.unique(column[~np.isnan(column)].astype(np.float32)).astype(np.float64)  # as the graph takes them
    if not len(known):
        return Walk(feature.name, [], 0.0, 0.0 if feature.monotone else None)
    unseen = unseen_values(feature, known)
    below, above = known[np.clip(_places(known, unseen), 0, len(known) - 1)].T  # of each unseen value
    spread = known[np.linspace(0, len(known) - 1, min(len(known), SEEN)).astype(np.int64)]
    values = np.unique(np.concatenate([spread, unseen, below, above]))
    found = road(values)
    ends = np.stack([found[:, np.searchsorted(values, side)] for side in (below, above)])
    departure = [0.0, *_departure(found[:, np.searchsorted(values, unseen)], ends.min(axis=0), ends.max(axis=0))]
    if feature.nullable and not np.isnan(column).any():
        missing = road(np.array([np.nan]))
        departure += _departure(missing, found.min(axis=1, keepdims=True), found.max(axis=1, keepdims=True)).tolist()
    against = float(np.maximum(-feature.direction * np.diff(found, axis=1), 0.0).max()) if feature.monotone else None
    return Walk(feature.name, _outside(feature, known), float(max(departure)), against)


def unseen_values(feature: Feature, known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values that are allowed and not `known` (ascending): in the widest gaps, and beyond both ends.

    >>> count = Feature(name="delinquencies", type="integer", minimum=0, maximum=20)
    >>> unseen_values(count, np.array([0.0, 1.0, 2.0, 5.0])).tolist()
    [3.0, 6.0, 8.0, 12.0, 20.0]
    """
    gaps = sorted(pairwise(known.tolist()), key=lambda gap: gap[0] - gap[1])[:GAPS]
    values = [(lower + upper) / 2 for lower, upper in gaps]
    for end, limit in ((known[0], feature.lowest), (known[-1], feature.highest)):
        step = abs(limit - end)
        values += [end + (limit - end) * share for share in BEYOND if step]
        values += [end + np.sign(limit - end)] if step >= 1 else []
    found = np.array(values)
    if feature.type == "integer":
        found = np.floor(found)
    found = found.astype(np.float32).astype(np.float64)
    found = found[(found >= feature.lowest) & (found <= feature.highest)]
    return np.setdiff1d(found, known)


def _places(known: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places in `known` of the neighbours of each of `values`, `[values, 2]`; beyond the ends one is outside."""
    place = np.searchsorted(known, values)
    return np.stack([place - 1, place], axis=1)


def _departure(
    found: NDArray[np.float64], lowest: NDArray[np.float64], highest: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far `found` `[applicants, values]` lies outside of `lowest` to `highest`, the mean over the applicants."""
    mean: NDArray[np.float64] = np.maximum(np.maximum(lowest - found, found - highest), 0.0).mean(axis=0)
    return mean


def _outside(feature: Feature, known: NDArray[np.float64]) -> list[str]:
    """The ranges that are allowed and lie beyond the known values, in words."""
    ranges = []
    if known[0] > feature.lowest:
        ranges.append(f"below {known[0]:g}")
    if known[-1] < feature.highest:
        ranges.append(f"above {known[-1]:g}")
    return ranges
