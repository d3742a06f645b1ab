"""Drift detection beside others: the windows are the same for all, and our verdicts are those of the service."""

import pandas as pd

from benchmarks.drift_rivals import PSI, _joined, ours
from benchmarks.drift_windows import Shift, draw


def test_a_window_is_judged_for_itself_and_only_the_shifted_column_alarms():
    population = draw(20_000, 1)
    name = "probability"
    quiet, shifted = draw(500, 2), draw(500, 3)
    shifted[name] = Shift(population[name], 2 * PSI).draw(500, 3)
    joined = _joined([quiet, shifted, quiet])
    assert isinstance(joined, pd.DataFrame)
    assert ours(joined, 500) == [[], [name], []]
