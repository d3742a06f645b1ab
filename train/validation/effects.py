"""The effect of each column: partial dependence and individual curves, with the density of the data.

Partial dependence is the mean probability of applicants who are all given the same value (Friedman, 2001, "Greedy
function approximation"). Individual conditional expectation has a curve for each applicant (Goldstein, Kapelner, Bleich
and Pitkin, 2015, "Peeking inside the black box"): curves that are not parallel are interactions, which a mean hides.
Where the density is low, both describe applicants that hardly exist.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.feature import Feature
from models.schema import MISSING_TEXT
from train.evaluation.substitution import Applicants, Road
from train.validation.results import Effect

VALUES, BINS = 16, 24  # of a number; with no more distinct values, each is one
TAIL = 0.01  # share of the rows below and above the values of a number
CURVES = 30  # applicants with a curve of their own
CATEGORIES = 12  # the most frequent


def effect(feature: Feature, column: NDArray[Any], applicants: Applicants) -> Effect | None:
    """The effect of one column on `applicants`; None where every value is missing.

    Args:
        feature: the column.
        column: its values in the training rows, `[rows]`, text or float, missing as None or NaN.
        applicants: to be given other values.
    """
    of_kind = _of_categories if feature.type == "categorical" else _of_numbers
    return of_kind(feature, column, applicants.road(feature.name))


def _of_categories(feature: Feature, column: NDArray[Any], road: Road) -> Effect | None:
    texts = np.array([MISSING_TEXT if text is None else text for text in column.tolist()], dtype=object)
    counts = {text: int((texts == text).sum()) for text in (*feature.categories, MISSING_TEXT)}
    seen = sorted((text for text, count in counts.items() if count), key=lambda text: -counts[text])[:CATEGORIES]
    density = [counts[text] / len(texts) for text in seen]
    found = road(np.array(seen, dtype=object))
    return Effect(feature.name, seen, found.mean(axis=0).tolist(), _curves(found), seen, density)


def _of_numbers(feature: Feature, column: NDArray[Any], road: Road) -> Effect | None:
    known = column[~np.isnan(column)]
    if not len(known):
        return None
    distinct, counts = np.unique(known, return_counts=True)
    if len(distinct) <= VALUES:
        values, places, density = distinct, distinct, counts / len(column)
    else:
        values = np.unique(np.quantile(known, np.linspace(TAIL, 1 - TAIL, VALUES), method="closest_observation"))
        counts, edges = np.histogram(known, BINS, (values[0], values[-1]))
        places, density = (edges[:-1] + edges[1:]) / 2, counts / len(column)
    found = road(values)
    missing = float(road(np.array([np.nan])).mean()) if feature.nullable else None
    return Effect(
        feature.name,
        values.tolist(),
        found.mean(axis=0).tolist(),
        _curves(found),
        places.tolist(),
        density.tolist(),
        missing,
        feature.unit,
    )


def _curves(found: NDArray[np.float64]) -> list[list[float]]:
    """Those of some applicants, evenly spread."""
    chosen = np.linspace(0, len(found) - 1, min(len(found), CURVES)).astype(np.int64)
    curves: list[list[float]] = found[chosen].tolist()
    return curves
