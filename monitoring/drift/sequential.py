"""How far a window may be from its reference by chance, however often it is looked at while it fills.

Owns: the share of the yearly budget of false alarms that one test of one window may spend, and the bounds that PSI, KS
and a share of rows exceed at any moment of a window with no more than that probability. Leaves to others: the
statistics (statistics), reading windows (windows), which bounds matter in practice (looking).

A bound for one look does not hold for the highest of many looks. These do (Ville, 1939): PSI and shares by the normal
mixture of Robbins (1970, "Statistical methods related to the law of the iterated logarithm"), a likelihood ratio of
"shifted by some PSI around `SHIFT`" against "not shifted" that is a martingale in the rows of a window. The reference
is a sample as well: the ratio is that of the differences from it, as in tests that are invariant to location
(Perez-Ortiz, Lardy, de Heide and Gruenwald, 2024, "E-statistics, group invariance and anytime-valid testing").
KS is bounded after Howard and Ramdas (2022, "Sequential estimation of quantiles with applications to A/B testing and
best-arm identification").

The budget is spent evenly over time (Lan and DeMets, 1983, "Discrete sequential boundaries for clinical trials"): a
window of an hour may spend an hour's part of the year's. So the expected number of false alarms of a year is at most
the budget, by Boole's inequality, however columns and windows depend on each other.
"""

import math

YEAR_S = 365.25 * 24 * 3600
SHIFT = 0.25  # PSI for which the mixture is the most powerful: Siddiqi's bound for another population
LARGEST_LOG = 700.0  # of 1 / probability; exp(-745) is 0
EXACT = 1e-9  # to which the logarithm of a probability is found


def significance(false_alarms_per_year: float, window_s: float, tests: int) -> float:
    """Return the probability that one test of one window may raise a false alarm with.

    >>> f"{significance(1, 3600, 22):.1e}"
    '5.2e-06'
    """
    return min(0.5, false_alarms_per_year * window_s / YEAR_S / tests)


def psi_bound(rows: int, others: int, bins: int, alpha: float) -> float:
    """Return the PSI that a window exceeds at any moment with probability `alpha` at most, although nothing changed.

    With `c = 1/rows + 1/others`, PSI is about `c * chi2(bins - 1)`, the length of a Gaussian vector; a priori each of
    its dimensions is shifted with variance `SHIFT / (bins - 1)`, `t` times that by chance. The likelihood ratio is then
    `(1 + t)^(-(bins - 1)/2) * exp(t / (1 + t) * PSI / (2 c))`, and a martingale exceeds `1 / alpha` with probability
    `alpha` at most.

    Args:
        rows: of the window so far.
        others: of the reference.
        bins: that are occupied in either.
        alpha: see `significance`.

    >>> [round(psi_bound(rows, 800, 10, 2.6e-6), 2) for rows in (50, 500, 100_000)]
    [1.25, 0.17, 0.07]
    """
    if bins < 2:
        return 0.0
    chance, gain, penalty = _mixture(rows, others, bins)
    return 2 * chance * (math.log(1 / alpha) + penalty) / gain


def psi_probability(psi: float, rows: int, others: int, bins: int) -> float:
    """Return the `alpha` for which `psi` would be the bound: a p-value that holds at any moment.

    >>> round(psi_probability(psi_bound(500, 800, 10, 0.001), 500, 800, 10), 6)
    0.001
    """
    if bins < 2:
        return 1.0
    chance, gain, penalty = _mixture(rows, others, bins)
    return _probability(gain * psi / (2 * chance) - penalty)


def score_probability(square: float, rows: int, others: int) -> float:
    """Return the `alpha` for which the square of a standard score would be the bound: PSI of two bins is `c` times it.

    >>> round(score_probability(36.0, 500, 800), 7)
    2e-07
    """
    return psi_probability(square * (1 / rows + 1 / others), rows, others, 2)


def share_bound(share: float, rows: int, others: int, alpha: float) -> float:
    """Return the share of a window that is exceeded at any moment with probability `alpha` at most.

    A share is a histogram of two bins, whose PSI is about the square of the difference of `2 asin(sqrt(share))`.

    >>> round(share_bound(0.0, 500, 800, 1e-6), 3), round(share_bound(0.1, 500, 800, 1e-6), 3)
    (0.026, 0.217)
    """
    angle = math.asin(math.sqrt(share)) + math.sqrt(psi_bound(rows, others, 2, alpha)) / 2
    return math.sin(min(math.pi / 2, angle)) ** 2


def share_probability(found: float, share: float, rows: int, others: int) -> float:
    """Return the `alpha` for which `found` would be the bound of a share; 1 if it is not above `share`.

    >>> round(share_probability(share_bound(0.1, 500, 800, 0.001), 0.1, 500, 800), 6)
    0.001
    """
    angle = 2 * (math.asin(math.sqrt(found)) - math.asin(math.sqrt(share)))
    return psi_probability(angle**2, rows, others, 2) if angle > 0 else 1.0


def ks_bound(rows: int, others: int, alpha: float) -> float:
    """Return the KS distance that a window exceeds at any moment with probability `alpha` at most.

    Half of `alpha` is for the distance of the window from the truth (Howard and Ramdas, 2022, their corollary 2), half
    for that of the reference from it (Dvoretzky, Kiefer and Wolfowitz; Massart, 1990).

    >>> [round(ks_bound(rows, 800, 1e-6), 2) for rows in (50, 500, 100_000)]
    [0.62, 0.27, 0.11]
    """
    log = math.log(2 / alpha)
    window = 0.85 * math.sqrt((math.log(math.log(math.e * rows)) + 0.8 * (math.log(1612) + log)) / rows)
    return min(1.0, window + math.sqrt((math.log(2) + log) / (2 * others)))


def ks_probability(distance: float, rows: int, others: int) -> float:
    """Return the `alpha` for which `distance` would be the bound, by bisection of its logarithm.

    >>> round(ks_probability(ks_bound(500, 800, 0.001), 500, 800), 6)
    0.001
    """
    if ks_bound(rows, others, 1.0) >= distance:
        return 1.0
    low, high = 0.0, LARGEST_LOG
    while high - low > EXACT:
        middle = (low + high) / 2
        if ks_bound(rows, others, math.exp(-middle)) < distance:
            low = middle
        else:
            high = middle
    return _probability((low + high) / 2)


def _mixture(rows: int, others: int, bins: int) -> tuple[float, float, float]:
    """What PSI is divided by, what it counts, and what looking for all shifts at once costs."""
    freedom, chance = bins - 1, 1 / rows + 1 / others
    ratio = SHIFT / freedom / chance
    return chance, ratio / (1 + ratio), freedom / 2 * math.log1p(ratio)


def _probability(log: float) -> float:
    return math.exp(-min(max(log, 0.0), LARGEST_LOG))
