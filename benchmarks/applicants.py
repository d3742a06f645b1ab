"""Applicants drawn from a dataset file's vocabularies and ranges, for the requests of a measurement.

They all differ, and none has an `application_id`, so no server can reuse a response.
"""

import random
from typing import Any

import msgspec

from configs.dataset import Dataset
from configs.feature import Feature

APPLICANTS = 509  # a prime, so that batches of any size do not repeat


def draw(dataset: Dataset, applicants: int = APPLICANTS, seed: int = 0) -> list[dict[str, Any]]:
    """Draw `applicants` applicants, the same for the same seed, with every feature including protected ones."""
    drawn = random.Random(seed)
    return [{feature.name: _value(feature, drawn) for feature in dataset.features} for _ in range(applicants)]


def bodies(applicants: list[dict[str, Any]], rows: int) -> list[bytes]:
    """One body of `POST /predict` per applicant, who is followed by the next `rows` - 1.

    >>> bodies([{"age": 30}, {"age": 40}], 1)[1]
    b'{"applicants":[{"age":40}]}'
    """
    around = applicants * (1 + rows // len(applicants)) + applicants
    return [msgspec.json.encode({"applicants": around[first : first + rows]}) for first in range(len(applicants))]


def _value(feature: Feature, drawn: random.Random) -> str | int | float:
    if feature.type == "categorical":
        return drawn.choice(feature.categories)
    # A missing bound is taken at a distance of 100 from the other one, or from zero.
    lowest = feature.minimum if feature.minimum is not None else min(0.0, feature.highest - 100)
    highest = feature.maximum if feature.maximum is not None else lowest + 100
    if feature.type == "integer":
        return drawn.randint(int(lowest), int(highest))
    return round(drawn.uniform(lowest, highest), 3)
