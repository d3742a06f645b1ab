"""The windows by which drift detection is measured: as far from the population as they say, and the same each time."""

import numpy as np
import pytest

from benchmarks.drift_windows import POPULATION_ROWS, Shift, counted, draw, reference
from benchmarks.monitoring import deviations, judged
from configs.monitoring import read_monitoring
from monitoring.drift.statistics import psi

POPULATION = draw(POPULATION_ROWS, 1)


@pytest.mark.parametrize("name", ["income", "months", "place", "owner", "probability"])
def test_a_shifted_column_has_the_psi_that_it_was_made_for(name):
    layout = reference(20_000, 1).layouts[name]
    shifted = Shift(POPULATION[name], 0.25).draw(20_000, 2)
    before, after = (layout.histogram(counted(layout, values)) for values in (POPULATION[name], shifted))
    assert psi(before, after) == pytest.approx(0.25, abs=0.03)


def test_windows_are_the_same_for_the_same_number():
    first, second, other = draw(50, 3), draw(50, 3), draw(50, 4)
    assert all(np.array_equal(first[name], second[name], equal_nan=name == "income") for name in ("income", "place"))
    assert not np.array_equal(first["amount"], other["amount"])
    shifted = Shift(POPULATION["income"], 0.25)
    assert np.array_equal(shifted.draw(50, 5), shifted.draw(50, 5), equal_nan=True)


def test_what_is_judged_by_exact_counts_is_what_sketches_give():
    assert max(deviations(500, read_monitoring())) < 1e-9


def test_every_column_is_judged():
    against, drawn = reference(800, 6), draw(500, 7)
    counts = {name: counted(layout, drawn[name]) for name, layout in against.layouts.items()}
    found = judged(against, counts, read_monitoring())
    assert list(found) == list(drawn)
    assert not any(one.breach for one in found.values())
