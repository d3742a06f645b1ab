"""PSI and KS of two samples, and the values that chance alone gives."""

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import stats

from configs.feature import Feature
from monitoring.drift.distributions import category_counts, drift_of, number_counts, number_sketch
from monitoring.drift.statistics import bin_edges, ks_by_chance, psi, psi_by_chance
from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import DatasetProfileView, serialize, sketch_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGE = Feature(name="age", type="number")
HOME = Feature(name="home", type="categorical", categories=("own", "rent", "free"))


def profile(**columns):
    """Return a profile as it is read from its file."""
    return DatasetProfileView.deserialize(serialize(profile_columns(columns, "m:1", NOON)))


def sketch(**column):
    """Return the sketch of one column."""
    (name,) = column
    return sketch_of(profile(**column).get_column(name))


def drift(feature, reference, current, bins=10, significance=0.001):
    return drift_of(
        feature, profile(**{feature.name: reference}), profile(**{feature.name: current}), bins, significance
    )


def test_psi_matches_the_formula_if_no_bin_is_small():
    reference, current = np.array([40_000, 35_000, 25_000]), np.array([30_000, 45_000, 25_000])
    r, c = reference / reference.sum(), current / current.sum()
    assert psi(reference, current) == pytest.approx(np.sum((c - r) * np.log(c / r)), rel=1e-3)
    assert psi(current, reference) == pytest.approx(psi(reference, current))


def test_an_empty_bin_makes_psi_large_but_finite():
    assert 0.25 < psi(np.array([500, 500]), np.array([1000, 0])) < 10


@pytest.mark.parametrize("free", [1, 3, 9, 49])
@pytest.mark.parametrize("significance", [0.05, 0.001, 0.00004])
def test_psi_by_chance_matches_the_chi_square_quantile_of_scipy(free, significance):
    rows = np.full(free + 1, 1000)
    exact = stats.chi2.isf(significance, free) * 2 / rows.sum()
    assert psi_by_chance(rows, rows, significance) == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("rows", [200, 1000])
def test_samples_of_one_distribution_exceed_psi_by_chance_at_the_given_rate(rows):
    drawn, shares = np.random.default_rng(0), [0.3, 0.25, 0.2, 0.1, 0.1, 0.05]
    pairs = zip(drawn.multinomial(rows, shares, 4000), drawn.multinomial(rows, shares, 4000), strict=True)
    exceeded = np.mean([psi(a, b) > psi_by_chance(a, b, 0.01) for a, b in pairs])
    assert 0.005 < exceeded < 0.015


def test_psi_by_chance_is_zero_for_one_bin_or_no_rows():
    assert psi_by_chance(np.array([5, 0]), np.array([9, 0]), 0.01) == 0
    assert psi_by_chance(np.array([0, 0]), np.array([9, 1]), 0.01) == 0


def test_ks_by_chance_matches_scipy():
    exact = stats.kstwobign.isf(0.001) * np.sqrt(1 / 500 + 1 / 800)
    assert ks_by_chance(500, 800, 0.001) == pytest.approx(exact, rel=1e-3)
    assert ks_by_chance(1, 1, 0.001) == 1


@pytest.mark.parametrize("whole", [False, True], ids=["all different", "with ties"])
def test_ks_between_profiles_matches_scipy(whole):
    drawn = np.random.default_rng(1)
    reference, current = drawn.normal(40, 10, 900), drawn.normal(43, 12, 700)
    if whole:
        reference, current = reference.round(-1), current.round(-1)
    found = drift(AGE, reference, current)
    assert found.ks == pytest.approx(stats.ks_2samp(reference, current).statistic, abs=1e-9)


def test_drift_from_sketches_of_many_rows_is_close_to_exact():
    drawn = np.random.default_rng(2)
    reference, current = drawn.normal(0, 1, 60_000), drawn.normal(0.5, 1, 50_000)
    found = drift(AGE, reference, current)
    assert found.ks == pytest.approx(stats.ks_2samp(reference, current).statistic, abs=0.01)
    assert found.psi == pytest.approx(0.25, abs=0.02)  # for normal values PSI is the square of the shift
    assert drift(AGE, reference, reference[::-1]).psi < 0.001


def test_bins_hold_about_equally_many_rows_and_cover_every_value():
    values = np.random.default_rng(3).exponential(size=800)
    edges = bin_edges(values, 10)
    counts = number_counts(number_sketch(sketch(age=[*values, None, None])), edges)
    assert (len(counts), counts[-1], counts.sum()) == (11, 2, 802)
    assert set(counts[:-1]) == {80}


def test_bins_hold_about_equally_many_rows_of_a_column_with_ties_too():
    """Of 400 zeros among 800 rows, the tail would otherwise be one bin in which nothing can be seen to move."""
    reference = np.concatenate([np.zeros(400), np.arange(1.0, 401)])
    current = np.concatenate([np.zeros(400), np.arange(1.0, 401) ** 2 / 400])  # moved within the tail
    deciles = bin_edges(reference, 10)
    counts = [np.bincount(np.searchsorted(deciles, sample, "right")) for sample in (reference, current)]
    assert drift(AGE, reference, current).psi == pytest.approx(psi(*counts), rel=0.05)


def test_a_value_on_an_edge_belongs_to_the_bin_above():
    column = number_sketch(sketch(age=[1.0, 2, 2, 3]))
    assert number_counts(column, np.array([2.0, 3.0])).tolist() == [1, 2, 1, 0]


def test_unknown_categories_and_missing_values_are_counted_separately():
    column = sketch(home=["own", "own", "rent", "castle", None])
    assert category_counts(column, HOME.categories).tolist() == [2, 1, 0, 1, 1]
    long = ("x" * 130, "y" * 200)
    assert category_counts(sketch(home=[*long, long[0]]), long).tolist() == [2, 1, 0, 0]


def test_equal_samples_have_no_drift():
    for feature, values in ((AGE, [1.0, 2.0, 7.0] * 50), (HOME, ["own", "rent", None] * 50)):
        found = drift(feature, values, values)
        assert (found.psi, found.ks or 0.0) == (0.0, 0.0)


def test_missing_values_are_a_bin_of_psi_and_left_out_of_ks():
    found = drift(AGE, [1.0, 2.0] * 200, [1.0, 2.0, None, None] * 100)
    assert (found.psi > 0.25, found.ks) == (True, 0)


def test_a_column_that_became_empty_has_psi_but_no_ks():
    found = drift(AGE, np.arange(300.0), [None] * 300)
    assert (found.psi > 1, found.ks) == (True, None)
    assert drift(AGE, [None] * 300, np.arange(300.0)).psi > 1
    assert drift(HOME, ["own"] * 300, [None] * 300).psi > 1


def test_a_constant_that_moved_has_the_largest_ks():
    found = drift(AGE, [5.0] * 300, [6.0] * 300)
    assert found.ks == 1


def test_a_column_missing_from_one_profile_is_not_compared():
    assert drift_of(AGE, profile(age=[1.0]), profile(home=["own"]), 10, 0.01) is None
    assert drift_of(AGE, profile(home=["own"]), profile(age=[1.0]), 10, 0.01) is None


def test_drift_imports_no_training_library():
    script = """
import sys
import monitoring.drift.distributions
print(sorted({"pandas", "pandera", "scipy", "sklearn", "torch"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"
