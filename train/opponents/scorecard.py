"""A scorecard as credit departments build it: weights of evidence of monotone bins, in a logistic regression.

Siddiqi (2006), "Credit Risk Scorecards": the weight of evidence of a bin is the logarithm of its share of the events
over its share of the others. The bins of a number are twenty at quantiles, of which neighbours are pooled until the
rate of the event rises or falls throughout (Ayer et al., 1955: pool adjacent violators); gaps and categories are bins
of their own. Each bin is given some rows of the table's own rate, so that a small one says little.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from models.schema import Schema
from train.opponents.inputs import matrix
from train.opponents.population import probability, weights_of
from train.tables.table import Table

BINS = 20
PRIOR_ROWS = 20.0  # rows of the table's own rate that each bin is given


def scorecard(schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """The probability of the event by a scorecard; it needs no calibration."""
    rows, unseen, target = matrix(schema, training), matrix(schema, test), training.target
    counts = weights_of(training)
    evidence, unseen_evidence = np.zeros_like(rows.values), np.zeros_like(unseen.values)
    for column in range(rows.values.shape[1]):
        values, others = rows.values[:, column], unseen.values[:, column]
        edges = np.zeros(0) if column < rows.categorical else monotone_edges(values, target)
        weights = weights_of_evidence(bins_of(values, edges), target, counts)
        evidence[:, column] = [weights[each] for each in bins_of(values, edges)]
        unseen_evidence[:, column] = [weights.get(each, 0.0) for each in bins_of(others, edges)]
    model = LogisticRegression(max_iter=1000).fit(evidence, target, counts)
    return probability(schema, training, model.decision_function(unseen_evidence))


def bins_of(values: NDArray[np.float64], edges: NDArray[np.float64]) -> list[float]:
    """The bin of each value: its place between the edges, or the value itself where there are none; a gap is -1."""
    places = np.searchsorted(edges, values, side="right").astype(np.float64) if len(edges) else values
    found: list[float] = np.where(np.isnan(values), -1.0, places).tolist()
    return found


def monotone_edges(values: NDArray[np.float64], target: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where one bin ends and the next one begins; a value on an edge is in the upper bin.

    >>> monotone_edges(np.array([1.0, 2, 3, 4] * 50), np.array([0, 1, 0, 1] * 50))
    array([2., 4.])
    """
    known = ~np.isnan(values)
    there, happened = values[known], target[known]
    if not len(there):
        return np.array([0.0])
    fine = np.unique(np.quantile(there, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    places = np.searchsorted(fine, there, side="right")
    rises = places.min() == places.max() or float(np.corrcoef(places, happened)[0, 1]) >= 0
    fitted = (
        IsotonicRegression(increasing=rises, out_of_bounds="clip")
        .fit(places, happened)
        .predict(np.arange(len(fine) + 1))
    )
    edges = fine[np.flatnonzero(np.diff(fitted))]
    return edges if len(edges) else np.array([np.inf])


def weights_of_evidence(
    bins: list[float], target: NDArray[np.int64], counts: NDArray[np.float64]
) -> dict[float, float]:
    """The weight of evidence of each bin; `counts` `[rows]` say what a row counts.

    >>> found = weights_of_evidence([0, 0, 1, 1], np.array([0, 0, 1, 1]), np.ones(4))
    >>> {each: round(weight, 2) for each, weight in found.items()}
    {0: -0.18, 1: 0.18}
    """
    rate = float(counts @ target / counts.sum())
    names, places = np.unique(np.array(bins), return_inverse=True)
    events = np.bincount(places, counts * target) + PRIOR_ROWS * rate
    others = np.bincount(places, counts * (1 - target)) + PRIOR_ROWS * (1 - rate)
    return dict(zip(names.tolist(), np.log(events / others * (1 - rate) / rate).tolist(), strict=True))
