"""The generated tables: the same from the same seed, the same in both formats, and worth training on."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import size
from train.check import check

ROWS = 2500


@pytest.fixture
def written(tmp_path, monkeypatch):
    """`written(name)`: a generated table of three batches in a file of that name, as its dataset."""
    monkeypatch.setattr(size, "BATCH_ROWS", 1000)

    def run(name, seed=0):
        made = size.dataset(tmp_path / name)
        size.write(made, ROWS, seed)
        return made

    return run


def content(made):
    return Path(made.source.path).read_bytes()


def test_the_same_seed_gives_the_same_table_and_another_gives_another(written):
    assert content(written("one.csv")) == content(written("two.csv"))
    assert content(written("one.csv")) != content(written("two.csv", seed=1))


def test_csv_and_parquet_hold_the_same_table(written):
    text, binary = (check(written(name), 20) for name in ("table.csv", "table.parquet"))
    assert {name: list(values) for name, values in text.columns.items()} == {
        name: list(values) for name, values in binary.columns.items()
    }
    assert text.target.tolist() == binary.target.tolist()


def test_a_table_has_every_kind_of_column_and_both_outcomes(written):
    made = written("table.csv")
    table = check(made, 20)
    assert len(table.target) == ROWS
    assert 0.1 < table.target.mean() < 0.6
    assert {feature.type for feature in made.features} == {"categorical", "integer", "number"}
    for feature in made.features:
        missing = np.mean([value is None for value in table.columns[feature.name]])
        assert (0.05 < missing < 0.15) if feature.nullable else missing == 0
