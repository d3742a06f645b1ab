"""One column of one window against its reference: every statistic, its bound, and whether it is a breach.

Owns: which tests are made of a column, how they share what it may spend, and the verdict. Leaves to others: formulas
(statistics, sequential), counts (columns), windows.

A statistic breaches if it is above what matters in practice (`configs/monitoring.yaml`) and above what chance reaches
at any moment of the window with the probability that its test may spend.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

from configs.monitoring import Monitoring
from monitoring.drift import sequential
from monitoring.drift.columns import Counts, Layout
from monitoring.drift.statistics import chi2, js, ks, order, psi

# Of what a column may spend. Most shifts of numbers go one way, and a test of that finds them where PSI is not sure, as
# it looks for any change of ten bins: PSI 0.25 in 500 rows against 800 in 98% of windows or more, instead of 86%.
PSI_PART, ORDER_PART, OTHER_PART = 1 / 3, 1 / 3, 1 / 9  # KS, nulls, unknown values: a ninth each


@dataclass(frozen=True)
class Comparison:
    """The result; what cannot be computed is None. `p_value` is of all tests of the column together.

    Attributes:
        higher: how often a number of the window is above one of the reference, equal ones counted half.
        breach: whether any statistic is above its bound.
        alpha: what `p_value` is to be compared with.
    """

    psi: float
    psi_bound: float
    ks: float | None
    ks_bound: float | None
    js: float
    chi2: float | None
    higher: float | None
    p_value: float
    alpha: float
    nulls: float
    nulls_bound: float
    nulls_reference: float
    unknown: float
    unknown_bound: float
    unknown_reference: float
    breach: bool


def compare(layout: Layout, reference: Counts, current: Counts, alpha: float, settings: Monitoring) -> Comparison:
    """Compare one column; both have rows.

    Args:
        layout: where it was counted.
        reference: its counts in the reference.
        current: its counts in the window.
        alpha: the probability of a false alarm that this column may have in this window.
        settings: the bounds below which nothing is a breach, and the rows below which no window is.
    """
    rows, others = current.rows, reference.rows
    expected, found = layout.histogram(reference), layout.histogram(current)
    bins = int(((expected + found) > 0).sum())
    index, part = psi(expected, found), PSI_PART if layout.categories is None else PSI_PART + ORDER_PART
    probabilities = [sequential.psi_probability(index, rows, others, bins) / part]
    by_chance = sequential.psi_bound(rows, others, bins, part * alpha)
    higher = distance = distance_bound = None
    if layout.categories is None and reference.numbers and current.numbers:
        sizes = current.numbers, reference.numbers
        higher, square = order(expected[:-2], found[:-2])
        one_way = sequential.score_probability(square, *sizes) / ORDER_PART
        if one_way <= alpha:  # not by chance, whatever else there is to see in PSI
            by_chance = 0.0
        distance = ks(layout.cumulative(reference), layout.cumulative(current))
        distance_bound = max(settings.drift_ks, sequential.ks_bound(*sizes, OTHER_PART * alpha))
        probabilities += [one_way, sequential.ks_probability(distance, *sizes) / OTHER_PART]
    bound = max(by_chance, settings.drift_psi)
    breaches = [index > bound, distance is not None and distance_bound is not None and distance > distance_bound]
    nulls, unknown = (
        _Share.of(part / rows, whole / others, rows, others, OTHER_PART * alpha, settings.drift_share)
        for part, whole in ((current.nulls, reference.nulls), (layout.unknown(current), layout.unknown(reference)))
    )
    for share in (nulls, unknown):
        probabilities.append(share.probability / OTHER_PART)
        breaches.append(share.found > share.bound)
    return Comparison(
        psi=index,
        psi_bound=bound,
        ks=distance,
        ks_bound=distance_bound,
        js=js(expected, found),
        chi2=None if layout.categories is None else chi2(expected, found),
        higher=higher,
        p_value=min(1.0, *probabilities),
        alpha=alpha,
        nulls=nulls.found,
        nulls_bound=nulls.bound,
        nulls_reference=nulls.reference,
        unknown=unknown.found,
        unknown_bound=unknown.bound,
        unknown_reference=unknown.reference,
        breach=any(breaches) and rows >= settings.drift_least_rows,
    )


class _Share(NamedTuple):
    """A share of rows, and the most that it may be."""

    found: float
    reference: float
    bound: float
    probability: float

    @classmethod
    def of(cls, found: float, reference: float, rows: int, others: int, alpha: float, least: float) -> Self:
        chance = sequential.share_bound(reference, rows, others, alpha)
        probability = sequential.share_probability(found, reference, rows, others)
        return cls(found, reference, max(chance, min(1.0, reference + least)), probability)
