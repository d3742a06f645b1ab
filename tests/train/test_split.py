"""Which rows train and which test."""

import dataclasses

import numpy as np
import pytest

from configs.model import ModelConfig, Split
from train.errors import PipelineError
from train.split import described, min_rows_per_class, split, split_table
from train.tables.column import NumberColumn
from train.tables.table import Table

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


def dated(count=600):
    drawn = np.random.default_rng(0)
    columns = {"row": NumberColumn(np.arange(count, dtype=float))}
    days, customers = np.arange(count) // 30 * 30, drawn.integers(0, count // 2, count)
    return Table(columns, drawn.integers(0, 2, count)).with_beside({"time": days, "group": customers})


def test_the_newest_rows_are_the_test_part_and_no_day_is_in_both():
    table = dataclasses.replace(dated(), group=np.zeros(0, dtype=np.int64))
    training, test = split_table(table, 0.2, seed=0)
    assert table.time[training].max() < table.time[test].min()
    assert len(test) == 120
    assert len(training) + len(test) == 600


def test_no_customer_is_in_both_parts_and_the_share_is_kept():
    table = dataclasses.replace(dated(), time=np.zeros(0, dtype=np.int64))
    training, test = split_table(table, 0.2, seed=0)
    assert not set(table.group[training]) & set(table.group[test])
    assert len(training) + len(test) == 600
    assert 100 < len(test) < 140
    assert table.target[test].mean() == pytest.approx(table.target.mean(), abs=0.1)
    assert split_table(table, 0.2, seed=0)[1].tolist() == test.tolist() != split_table(table, 0.2, 1)[1].tolist()


def test_older_rows_of_the_customers_of_the_newest_are_in_neither_part():
    table = dated()
    training, test = split_table(table, 0.2, seed=0)
    assert table.time[training].max() < table.time[test].min()
    assert not set(table.group[training]) & set(table.group[test])
    assert len(test) == 120
    left = len(table.target) - len(training) - len(test)
    assert left > 0
    assert described(table, training, test) == f" (from 1971-04-26 on, {left} older rows of their customers in neither)"


def test_a_part_without_one_of_the_outcomes_is_told_with_key_and_remedy():
    table = dated()
    never = dataclasses.replace(table, target=np.where(table.time > 450, 0, table.target))
    with pytest.raises(PipelineError, match=r"source\.time: the test part has 0 events among 120 rows, and 2 of "):
        split_table(never, 0.2, seed=0)
