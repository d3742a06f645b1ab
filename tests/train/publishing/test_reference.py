"""The reference profile: features of rows that the model was fitted to, probabilities of rows that it was not."""

import msgspec
import numpy as np
import pytest

from configs.policy import Refer
from monitoring.drift.references import make_reference
from monitoring.profiles.whylogs_compat import read_sketches
from tests.models.tables import hand_made
from train.check import check
from train.publishing.reference import reference_profile


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A dataset, and the training and test part of its table."""
    dataset = hand_made(tmp_path_factory.mktemp("table"))
    table = check(dataset, 2)
    rows = np.arange(len(table.target))
    return dataset, table.rows(rows[:-50]), table.rows(rows[-50:])


def test_features_are_of_the_training_part_and_answers_of_the_test_part(parts):
    dataset, training, test = parts
    probability = np.linspace(0.01, 0.99, 50, dtype=np.float32)
    content = reference_profile(dataset, "a:1", training, test, probability)
    found = make_reference("a:1", dataset, read_sketches(content), 10)
    assert list(found.layouts) == [feature.name for feature in dataset.features] + ["probability", "decision"]
    rows = {name: counts.rows for name, counts in found.counts.items()}
    assert {rows.pop("probability"), rows.pop("decision")} == {50}
    assert set(rows.values()) == {len(training.target)}
    declined = int((probability.astype(np.float64) >= dataset.threshold).sum())
    assert found.counts["decision"].values.tolist() == [50 - declined, declined, 0]
    assert found.layouts["probability"].points == pytest.approx(probability, abs=1e-6)


def test_what_is_referred_is_counted_as_such(parts):
    dataset, training, test = parts
    band = msgspec.structs.replace(dataset, refer=Refer(start=dataset.threshold / 2, end=dataset.threshold * 2))
    probability = np.full(50, dataset.threshold, dtype=np.float32)
    content = reference_profile(band, "a:1", training, test, probability)
    found = make_reference("a:1", dataset, read_sketches(content), 10)
    assert found.counts["decision"].values.tolist() == [0, 0, 50]


def test_the_same_rows_give_the_same_bytes(parts):
    probability = np.linspace(0.01, 0.99, 50, dtype=np.float32)
    first, second = (reference_profile(parts[0], "a:1", *parts[1:], probability) for _ in range(2))
    nearly = reference_profile(parts[0], "a:1", *parts[1:], np.nextafter(probability, np.float32(1)))
    assert first == second == nearly
