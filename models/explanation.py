"""Explanations of a probability: what each feature adds to the log-odds of the base rate.

Owns the contributions and the response. Leaves the reference to `models.background`, the reasons for a decline to
`models.reasons`, and access to `serving.http.explain`.

The contributions are Shapley values of the log-odds (Lundberg and Lee, 2017, arXiv:1705.07874) against the applicants
of the reference. From each of them the features change to the applicant's values one by one, in a random order and then
in the reverse order; each change in the log-odds counts for the feature that changed. Every path ends at the applicant,
so the contributions add up to the whole difference for any order. Both directions together (antithetic sampling:
Mitchell et al., 2022, JMLR 23:43) give exact Shapley values where at most two features interact; the rest is averaged
over the reference, in which each applicant has its own order. `benchmarks/explain.py` measures how close they are.

The work grows with the square of the number of inputs, so it is bounded: a wide model is explained against fewer
applicants of the reference, and says how far that may lead; a wider one is not explained.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Struct
from numpy.typing import NDArray

from configs.dataset import RESERVED
from configs.feature import Feature
from models.background import Background, log_odds, probability_of, weights
from models.deciding import APPROVE, Decision, DecisionRule
from models.points import Points
from models.reasons import MAX_REASONS, Contribution, Reason, principal_reasons
from models.schema import Column, Schema

CHUNK_ROWS = 256  # rows per call: more make a row no cheaper, and take more memory
MAX_VALUES = 4_000_000  # per explanation, given to the graph: some 2 s; up to 176 inputs need fewer
LEAST_ORDERS = 2  # applicants of the reference, one on each side of the base rate
MAX_INPUTS = 1000  # of a model that is explained: the most for which that many orders are within MAX_VALUES
SEED = 1  # of the orders; fixed, so that the same request always gives the same bits


class Explanation(Struct, frozen=True, omit_defaults=True):
    """One element of the response of `POST /explain`, in the order of the request."""

    application_id: Annotated[str, Meta(description="as sent, or a UUIDv7")]
    probability: Annotated[float, Meta(ge=0, le=1, description="as returned by `/predict`")]
    decision: Decision
    model: Annotated[str, Meta(description="name and version of the model that is explained")]
    base_rate: Annotated[
        float,
        Meta(description="share of the event among the training rows, or in the population where `GET /model` says so"),
    ]
    base_log_odds: Annotated[float, Meta(description="log-odds of the base rate, from which the contributions start")]
    log_odds: Annotated[float, Meta(description="of the probability: base_log_odds plus all contributions")]
    contributions: Annotated[
        list[Contribution], Meta(description="of every input of the model, in the order of the dataset")
    ]
    reasons: Annotated[
        list[Reason],
        Meta(max_length=MAX_REASONS, description="for a decline, the strongest first; empty for an approval"),
    ]
    score: Annotated[int | None, Meta(description="as returned by `/predict`")] = None
    base_points: Annotated[
        int | None, Meta(description="points that everyone starts with; with those of all contributions, the score")
    ] = None
    standard_error: Annotated[
        float | None,
        Meta(
            description="of the least certain contribution, in log-odds; only where the model has so many inputs that "
            "the applicant was compared with a part of the reference"
        ),
    ] = None


class Explainer:
    """Explains one model.

    Args:
        schema: the compiled dataset.
        probabilities: the graph, from inputs of shape `[batch, 1]` to probabilities `[batch]`.
        background: the reference.
        model: name and version.
        seed: of the orders.

    The model has at most `MAX_INPUTS` inputs.
    """

    def __init__(
        self,
        schema: Schema,
        probabilities: Callable[[Mapping[str, Column]], NDArray[np.floating[Any]]],
        background: Background,
        model: str,
        seed: int = SEED,
    ) -> None:
        self._schema = schema
        self._rule = DecisionRule(schema)
        scale = schema.dataset.score
        self._points = Points(scale) if scale else None
        self._probabilities = probabilities
        self._model = model
        self._higher_from = background.higher_from
        names = [feature.name for feature in schema.inputs]
        table = {name: [applicant[name] for applicant in background.applicants] for name in names}
        whole = schema.feed_columns(table)
        odds = self._log_odds(whole)
        used = nearest(odds, background.base_rate, MAX_VALUES // (2 * len(names) ** 2))
        self._partial = len(used) < len(odds)
        self._reference = {name: column[used] for name, column in whole.items()}
        self._odds = odds[used]  # [reference]
        self._weights = weights(self._odds, background.base_rate)
        self.base_log_odds = float(self._weights @ self._odds)
        shape = len(used), len(names)
        self._orders = np.argsort(np.random.default_rng(seed).random(shape), axis=1)  # [reference, features]

    def explain(self, applicant: Struct) -> Explanation:
        """The explanation of one applicant, a row of the schema; it depends on nothing else."""
        feed = self._schema.feed([applicant])
        probability = self._probabilities(feed)
        each = self._contributions(feed, float(log_odds(probability)[0]))
        shares = (self._weights @ each).tolist()
        decision = self._rule.of_row(float(probability[0]), applicant)
        values = dict(zip(self._schema.names, msgspec.structs.astuple(applicant), strict=True))
        shown = [_shown(feature, values[feature.name]) for feature in self._schema.inputs]
        score, base_points, points = self._score(probability, shares)
        contributions = [
            Contribution(feature.name, value, *numbers)
            for feature, value, *numbers in zip(self._schema.inputs, shown, shares, points, strict=True)
        ]
        return Explanation(
            application_id=values[RESERVED],
            probability=float(probability[0]),
            decision=decision,
            model=self._model,
            base_rate=probability_of(self.base_log_odds),
            base_log_odds=self.base_log_odds,
            log_odds=float(log_odds(probability)[0]),
            contributions=contributions,
            reasons=principal_reasons(contributions, self._schema.inputs, self._higher_from)
            if decision != APPROVE  # whom a person may decline needs them as well
            else [],
            score=score,
            base_points=base_points,
            standard_error=standard_error(each, self._weights) if self._partial else None,
        )

    def _score(
        self, probability: NDArray[np.floating[Any]], shares: list[float]
    ) -> tuple[int | None, int | None, Sequence[int | None]]:
        """The score, the points that everyone starts with, and those of each contribution, if there is a scale."""
        if self._points is None:
            return None, None, [None] * len(shares)
        (score,) = self._points.scores(probability)
        return score, *self._points.shares(self.base_log_odds, shares, score)

    def _contributions(self, feed: Mapping[str, Column], odds: float) -> NDArray[np.float64]:
        """Shapley values `[reference, features]`; each row adds up to `odds` less the log-odds of that applicant."""
        # A feature that has the reference's value changes nothing: it needs no row, and contributes nothing.
        differs = np.concatenate([_differs(column, feed[name]) for name, column in self._reference.items()], axis=1)
        position = np.where(differs, _ranks(differs, self._orders), 0)  # 1 changes first, 0 never
        steps = differs.sum(axis=1)  # [reference]
        number = np.arange(differs.shape[1] + 1)
        row, step = np.nonzero((number > 0) & (number < steps[:, None]))  # both ends of a path are known
        there = differs[row] & (position[row] <= step[:, None])
        changed = np.concatenate([there, differs[row] & ~there])  # [batch, features]
        halfway = {name: column[np.tile(row, 2)] for name, column in self._reference.items()}
        for index, (name, column) in enumerate(halfway.items()):
            column[changed[:, index]] = feed[name][0, 0]
        forward, backward = np.full((2, *position.shape[:1], len(number)), odds)  # [reference, features + 1]
        forward[:, 0] = self._odds
        backward[number >= steps[:, None]] = np.repeat(self._odds, len(number) - steps)
        forward[row, step], backward[row, step] = np.split(self._log_odds(halfway), 2)
        gained = np.diff(forward, axis=1) - np.diff(
            backward, axis=1
        )  # by the feature in each position, in both directions
        each = np.take_along_axis(gained, np.maximum(position - 1, 0), axis=1)
        shapley: NDArray[np.float64] = np.where(differs, each / 2, 0.0)
        return shapley

    def _log_odds(self, feed: Mapping[str, Column]) -> NDArray[np.float64]:
        """Log-odds `[batch]`; a call holds rows of one applicant only, so others cannot change a bit of them."""
        rows = len(next(iter(feed.values())))
        parts = [slice(start, start + CHUNK_ROWS) for start in range(0, rows, CHUNK_ROWS)]
        found = [self._probabilities({name: column[part] for name, column in feed.items()}) for part in parts]
        return log_odds(np.concatenate(found)) if found else np.zeros(0)


def nearest(odds: NDArray[np.float64], base_rate: float, most: int) -> NDArray[np.int64]:
    """The `most` applicants, at least `LEAST_ORDERS`, around the base rate, or all of them: ascending row numbers.

    Half lie on each side where there are as many, so that weights exist whose mean is the base rate.

    >>> nearest(np.array([2.0, -1.0, 1.0, -3.0]), 0.5, 2).tolist(), nearest(np.array([2.0, 1.0]), 0.5, 9).tolist()
    ([1, 2], [0, 1])
    """
    count = min(len(odds), max(most, LEAST_ORDERS))
    order = np.argsort(odds, kind="stable")
    place = int(np.searchsorted(odds[order], np.log(base_rate / (1 - base_rate))))
    start = min(max(place - count // 2, 0), len(odds) - count)
    return np.sort(order[start : start + count])


def standard_error(each: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """The largest standard error of the weighted means of `each` `[reference, features]`, as of independent draws.

    >>> standard_error(np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([0.5, 0.5]))
    1.0
    """
    count = len(weight)
    variance = (weight**2 @ (each - weight @ each) ** 2) * count / (count - 1)
    return float(np.sqrt(variance.max()))


def _ranks(differs: NDArray[np.bool_], orders: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position, from 1, of each feature among those that differ, `[reference, features]`; undefined for the others.

    >>> _ranks(np.array([[True, False, True]]), np.array([[2, 1, 0]])).tolist()
    [[2, 1, 1]]
    """
    counted = np.cumsum(np.take_along_axis(differs, orders, axis=1), axis=1)
    ranks = np.empty(differs.shape, dtype=np.int64)
    np.put_along_axis(ranks, orders, counted, axis=1)
    return ranks


def _differs(reference: Column, value: Column) -> NDArray[np.bool_]:
    """Where `value` `[1, 1]` differs from `reference` `[reference, 1]`; missing equals missing."""
    missing = (reference != reference) & (value != value)  # only NaN differs from itself
    unlike: NDArray[np.bool_] = np.asarray(reference != value, dtype=np.bool_) & ~missing
    return unlike


def _shown(feature: Feature, value: Any) -> Any:
    """A value as shown in a response: whole numbers without a decimal point, null if missing."""
    if value is None or value is UNSET:
        return None
    return int(value) if feature.type == "integer" else value
