"""Which rows train and which test."""

import numpy as np
import pytest

from configs.model import ModelConfig, Split
from train.errors import PipelineError
from train.split import min_rows_per_class, split

TARGET = (np.random.default_rng(0).random(1000) < 0.3).astype(np.int64)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_both_parts_cover_every_row_once_and_hold_equally_many_events(share):
    training, test = split(TARGET, share, seed=0)
    assert sorted([*training, *test]) == list(range(1000))
    assert len(test) == 1000 * share
    assert list(training) == sorted(training)
    assert TARGET[test].mean() == pytest.approx(TARGET.mean(), abs=1 / len(test))


def test_a_seed_gives_one_split_and_another_seed_another():
    first, again, other = (split(TARGET, 0.2, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_a_table_that_passes_the_checks_has_both_outcomes_in_its_test_part(share):
    """Or is refused by name: metrics of a part with one outcome do not exist."""
    least = min_rows_per_class(ModelConfig(split=Split(test=share)))
    for others in (least, 40 * least):
        target = np.array([1] * least + [0] * others)
        try:
            _, test = split(target, share, seed=0)
        except PipelineError:
            continue
        assert 0 < target[test].sum() < len(test)
