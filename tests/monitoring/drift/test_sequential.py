"""Bounds that hold at every look, and what of the yearly budget a window may spend."""

import math

import numpy as np
import pytest
from scipy import stats

from monitoring.drift import sequential
from monitoring.drift.statistics import chi2, js, ks, order, psi

PATHS, FEWER, LOOKS = 1000, 400, np.unique(np.geomspace(25, 1000, 12).astype(int))
SHAPES = {
    "even": np.full(10, 0.1),
    "two values": np.array([0.96, 0.04]),
    "rare values": np.array([0.28, 0.23, 0.18, 0.1, 0.1, 0.05, 0.03, 0.02, 0.008, 0.002]),
}
ALPHA = 0.05


def paths(shares, reference_rows=800):
    """References, and the windows of each as they fill: pairs of the rows so far and `[paths, bins]` counts."""
    drawn = np.random.default_rng(0)
    counts = np.zeros((PATHS, len(shares)), dtype=np.int64)
    filling = []
    for more in np.diff(LOOKS, prepend=0):
        counts = counts + drawn.multinomial(more, shares, PATHS)
        filling.append((int(counts[0].sum()), counts))
    return drawn.multinomial(reference_rows, shares, PATHS), filling


@pytest.mark.parametrize("shares", SHAPES.values(), ids=SHAPES)
def test_a_window_without_drift_rarely_crosses_the_bound_of_psi_at_any_look(shares):
    references, filling = paths(shares)
    crossed = np.zeros(PATHS, dtype=bool)
    for rows, counts in filling:
        occupied = (references + counts > 0).sum(axis=1)
        bounds = np.array([0.0] + [sequential.psi_bound(rows, 800, bins, ALPHA) for bins in range(1, len(shares) + 1)])
        found = np.array([psi(one, other) for one, other in zip(references, counts, strict=True)])
        crossed |= found > bounds[occupied]
    assert crossed.mean() < ALPHA


@pytest.mark.parametrize("shares", SHAPES.values(), ids=SHAPES)
def test_nor_does_its_order_nor_its_first_share_nor_ks(shares):
    references, filling = paths(shares)
    crossed = np.zeros((FEWER, 3), dtype=bool)
    for rows, counts in filling:
        limit = sequential.ks_bound(rows, 800, ALPHA)
        for path, (before, now) in enumerate(zip(references[:FEWER], counts[:FEWER], strict=True)):
            _, square = order(before, now)
            share = sequential.share_bound(before[-1] / 800, rows, 800, ALPHA)
            distance = ks(np.cumsum(before) / 800, np.cumsum(now) / rows)
            found = sequential.score_probability(square, rows, 800) < ALPHA, now[-1] / rows > share, distance > limit
            crossed[path] |= found
    assert (crossed.mean(axis=0) < ALPHA).all()


def test_a_bound_for_one_look_is_crossed_more_often_than_it_says():
    """Which is why there are others."""
    references, filling = paths(SHAPES["even"])
    crossed = np.zeros(PATHS, dtype=bool)
    for rows, counts in filling:
        limit = stats.chi2.isf(ALPHA, 9) * (1 / rows + 1 / 800)
        crossed |= np.array([psi(one, other) for one, other in zip(references, counts, strict=True)]) > limit
    assert crossed.mean() > 2 * ALPHA


def test_a_year_of_windows_spends_the_budget_and_no_more():
    for window_s in (3600, 86_400):
        alpha = sequential.significance(1, window_s, 22)
        assert alpha * 22 * sequential.YEAR_S / window_s == pytest.approx(1)
    assert sequential.significance(1000, 86_400 * 365, 1) == 0.5


@pytest.mark.parametrize("alpha", [0.3, 0.001, 1e-7, 1e-30])
@pytest.mark.parametrize("rows", [50, 5000, 2_000_000])
def test_bounds_and_probabilities_are_each_other_s_inverse(alpha, rows):
    for bins in (2, 12, 60):
        bound = sequential.psi_bound(rows, 800, bins, alpha)
        assert sequential.psi_probability(bound, rows, 800, bins) == pytest.approx(alpha)
    bound = sequential.share_bound(0.2, rows, 800, alpha)
    if bound < 1:
        assert sequential.share_probability(bound, 0.2, rows, 800) == pytest.approx(alpha)
    bound = sequential.ks_bound(rows, 800, alpha)
    if bound < 1:
        assert sequential.ks_probability(bound, rows, 800) == pytest.approx(alpha)


def test_bounds_narrow_with_the_rows_of_the_window_and_stay_open_for_the_reference_s_own_error():
    bounds = [sequential.psi_bound(rows, 800, 10, 1e-6) for rows in (50, 500, 5000, 10**9)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] > stats.chi2.isf(1e-6, 9) / 800


def test_probabilities_of_no_difference_are_one():
    assert sequential.psi_probability(0.0, 500, 800, 10) == 1
    assert sequential.psi_probability(9.0, 500, 800, 1) == 1
    assert sequential.share_probability(0.1, 0.2, 500, 800) == 1
    assert sequential.ks_probability(0.0, 500, 800) == 1
    assert sequential.psi_bound(500, 800, 1, 0.01) == 0


def test_order_is_that_of_mann_and_whitney():
    drawn = np.random.default_rng(4)
    before, now = drawn.integers(0, 6, 700), drawn.integers(1, 7, 500)
    higher, square = order(np.bincount(before, minlength=7), np.bincount(now, minlength=7))
    exact = stats.mannwhitneyu(now, before, use_continuity=False, method="asymptotic")
    assert higher == pytest.approx(exact.statistic / (700 * 500))
    assert math.sqrt(square) == pytest.approx(stats.norm.isf(exact.pvalue / 2), rel=0.01)
    assert order(np.array([5, 0]), np.array([9, 0])) == (0.5, 0.0)


def test_chi2_and_js_of_equal_histograms_are_zero():
    counts = np.array([5, 0, 7])
    assert (chi2(counts, counts * 3), js(counts, counts * 3)) == (0, 0)
