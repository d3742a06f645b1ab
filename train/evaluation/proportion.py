"""A share of rows, with an interval that is exact for any number of them."""

from scipy import stats

from train.evaluation.estimate import Estimate


def proportion(count: int, rows: int, confidence: float) -> Estimate:
    """The share `count / rows`, of at least one row, with the interval of Clopper and Pearson (1934).

    >>> found = proportion(80, 100, 0.9)
    >>> [round(value, 3) for value in (found.value, found.low, found.high)]
    [0.8, 0.723, 0.863]
    """
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, count, rows - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(1 - tail, count + 1, rows - count)) if count < rows else 1.0
    return Estimate(count / rows, low, high)
