"""Weights that give a sample the shares it is to have."""

import numpy as np

from monitoring.simulation.raking import Margin, rake


def test_every_margin_has_its_shares_afterwards():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 4, 5000), random.integers(0, 3, 5000)
    second[first == 0] = 0  # the two depend on each other
    wanted = [np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.6, 0.3, 0.1])]
    weights = rake([Margin(first, wanted[0]), Margin(second, wanted[1])], 5000)
    assert np.isclose(weights.sum(), 1)
    for codes, shares in zip((first, second), wanted, strict=True):
        assert np.abs(np.bincount(codes, weights) - shares).max() < 1e-3


def test_a_bin_that_nobody_is_in_is_left_out():
    weights = rake([Margin(np.array([0, 0, 2]), np.array([0.25, 0.5, 0.25]))], 3)
    assert weights.tolist() == [0.25, 0.25, 0.5]
