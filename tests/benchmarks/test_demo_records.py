"""The records behind the README's pictures: what moves in them, and that they stay valid applicants."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from benchmarks.demo_records import RISE, hours, moved, table
from configs.dataset import read_dataset
from models.schema import Schema
from tests.conftest import GERMAN_CREDIT, ROOT

UNTIL = datetime(2026, 11, 27, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def dataset():
    found = read_dataset(GERMAN_CREDIT)
    return msgspec.structs.replace(
        found, source=msgspec.structs.replace(found.source, path=str(ROOT / "data/german_credit.csv"))
    )


def test_the_table_becomes_applicants_that_stay_valid_when_they_move(dataset):
    schema, draw = Schema(dataset), np.random.default_rng(1)
    applicants = table(dataset)
    assert len(applicants) == 1000
    assert all(schema.takes(applicant) for applicant in applicants)
    assert all(schema.takes(moved(dataset, applicant, draw)) for applicant in applicants)


def test_one_number_rises_and_one_category_takes_over(dataset):
    draw = np.random.default_rng(1)
    before = table(dataset)
    after = [moved(dataset, applicant, draw) for applicant in before]
    changed = {
        name for name in before[0] if any(old[name] != new[name] for old, new in zip(before, after, strict=True))
    }
    (number,) = [name for name in changed if isinstance(before[0][name], int)]
    (category,) = changed - {number}
    ratio = sum(row[number] for row in after) / sum(row[number] for row in before)
    assert ratio == pytest.approx(RISE, rel=0.01)
    first = next(feature for feature in dataset.features if feature.name == category).categories[0]
    assert sum(row[category] == first for row in after) > 1.5 * sum(row[category] == first for row in before)


def test_most_rows_come_by_day(dataset):
    found = hours(20_000, UNTIL, np.random.default_rng(1))
    assert found[0][0] < found[-1][0] < UNTIL
    assert sum(number for _, number in found) == pytest.approx(20_000, rel=0.05)
    by_day = sum(number for start, number in found if 9 <= start.hour < 21)
    assert by_day > 0.6 * sum(number for _, number in found)
