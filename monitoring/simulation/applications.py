"""Applications drawn from a population, and the ways in which a scenario changes whom it draws and what is sent.

Owns: these functions of arrays and applicants. Leaves to others: which scenario does what (scenarios).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.feature import Feature
from monitoring.simulation.population import Population


class Application(NamedTuple):
    """One application: what the service is sent, and the probability that the event comes true."""

    applicant: dict[str, Any]
    risk: float


def draw(
    found: Population, shares: NDArray[np.float64], rows: int, generator: np.random.Generator
) -> list[Application]:
    """Draw `rows` applications by `shares` `[applicants]`, whose outcomes are as probable as the model says."""
    places = generator.choice(len(shares), rows, p=shares)
    return [Application(dict(found.applicants[place]), float(found.probabilities[place])) for place in places]


def raised(probability: float, odds: float) -> float:
    """The probability with `odds` times the odds.

    >>> raised(0.25, 3.0), raised(0.25, 1.0)
    (0.5, 0.25)
    """
    return probability * odds / (1 - probability + probability * odds)


def tilt(
    shares: NDArray[np.float64], odds: NDArray[np.float64], probabilities: NDArray[np.float64], mean: float
) -> NDArray[np.float64]:
    """The shares `[applicants]` closest to the given ones under which the mean probability is `mean`.

    In relative entropy, among those that are exponential in the log-odds.
    """
    low, high = 0.0, 16.0
    for _ in range(60):
        slope = (low + high) / 2
        tilted: NDArray[np.float64] = shares * np.exp(slope * (odds - odds.max()))
        tilted /= tilted.sum()
        low, high = (slope, high) if float(tilted @ probabilities) < mean else (low, slope)
    return tilted


def rescaled(applicant: dict[str, Any], feature: Feature, factor: float) -> dict[str, Any]:
    """The applicant with one number times `factor`, as far as the number may go.

    >>> age = Feature(name="age", type="integer", minimum=18, maximum=75)
    >>> rescaled({"age": 50, "job": "none"}, age, 0.5), rescaled({"age": 30}, age, 0.5), rescaled({}, age, 0.5)
    ({'age': 25, 'job': 'none'}, {'age': 18}, {})
    """
    value = applicant.get(feature.name)
    if value is None:
        return applicant
    sent = min(max(value * factor, feature.lowest), feature.highest)
    return applicant | {feature.name: round(sent) if feature.type == "integer" else sent}


def in_season(values: Sequence[Any], shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each value is of the rarest categories that together are a quarter or more, at least one.

    >>> in_season(["a", "a", "a", "b", "c", "c"], np.full(6, 1 / 6)).tolist()
    [False, False, False, True, True, True]
    """
    codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
    coded = np.array([codes[value] for value in values])
    totals = np.bincount(coded, shares)
    order = np.argsort(totals, kind="stable")
    found = order[: 1 + int(np.searchsorted(np.cumsum(totals[order]), 0.25))]
    return np.isin(coded, found[: max(1, len(order) - 1)])
