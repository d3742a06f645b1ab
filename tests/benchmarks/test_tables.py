"""The tables of a study: those of a package pass the checks of their dataset files, generated ones are as they say."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import credit_tables
from configs.dataset import read_dataset
from tests.conftest import ROOT
from train.check import check

PUBLIC = sorted((ROOT / "configs/datasets/public").glob("*.yaml"))
COUNTS = {"credit_cards": (30_000, 6_818), "credit_data": (4_454, 1_254), "lending_club": (9_857, 517)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder in which the tables of the package have been written."""
    folder = tmp_path_factory.mktemp("public")
    command = [ROOT / ".venv-comparison/bin/python", ROOT / "benchmarks/public_tables.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"var/tables/{name}.csv" for name in ("credit_data", "credit_cards", "lending_club")
    ]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_a_public_table_passes_the_checks_of_its_dataset_file(path, written, monkeypatch):
    monkeypatch.chdir(written)
    dataset = read_dataset(path)
    assert dataset.name == path.stem
    assert dataset.source.license
    assert dataset.source.citation
    assert all(feature.description for feature in dataset.features)
    table = check(dataset, 20)
    assert (len(table.target), table.target.sum()) == COUNTS[dataset.name]


@pytest.fixture
def generated(tmp_path, monkeypatch):
    """`generated(rows)`: a generated table, in batches of 400 rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(credit_tables, "BATCH_ROWS", 400)

    def run(rows, seed=0):
        path = credit_tables.write(rows, seed)
        return check(read_dataset(path), 20), Path(read_dataset(path).source.path).read_bytes()

    return run


def test_a_smaller_generated_table_is_the_beginning_of_a_larger_one(generated):
    (small, _), (large, _) = generated(700), generated(1000)
    assert len(large.target) == 1000
    assert large.target[:700].tolist() == small.target.tolist()
    assert list(large.columns["utilisation"])[:700] == list(small.columns["utilisation"])


def test_a_seed_gives_the_same_table_and_another_gives_another(generated):
    assert generated(500)[1] == generated(500)[1] != generated(500, seed=1)[1]


def test_a_generated_table_has_gaps_and_some_events(generated):
    table, _ = generated(4000)
    assert 0.1 < table.target.mean() < 0.2
    missing = np.mean([value is None for value in table.columns["income"]])
    assert 0.02 < missing < 0.15
