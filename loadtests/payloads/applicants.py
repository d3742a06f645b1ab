"""Applicants to send: rows of the real table where it is there, and others drawn from the features.

Real rows have the joint distribution that the model sees; drawn ones reach every category and the whole of each range.
"""

import csv
import math
import random
from pathlib import Path
from typing import Any

import yaml

from loadtests.target import Feature, Model
from models.schema import MAX_ID_LENGTH, MISSING_TEXT, optional

ID_FIELD = "application_id"
PREFIX = "load"  # by which the rows of load tests are recognised in the decision log
WIDE = 1e9  # a range beyond this has no bound in the dataset file
REAL_SHARE = 0.5  # of the applicants, where there is a table
ABSENT_SHARE = 0.1  # of the values that may be absent
MAX_ROWS = 20_000  # of the table that are kept

Applicant = dict[str, Any]


class Applicants:
    """An endless supply, the same for the same seed.

    Args:
        features: of the served model.
        rows: of the real table; empty if there is none.
        seed: of the draws.
        name: part of each `application_id`, unique to a user.
    """

    def __init__(self, features: tuple[Feature, ...], rows: list[Applicant], seed: int, name: str) -> None:
        self._features = features
        self._rows = rows
        self._random = random.Random(seed)  # noqa: S311 - test data
        self._name = name
        self._made = 0

    def take(self, number: int) -> list[Applicant]:
        """The next applicants, each with an `application_id` of its own."""
        return [self._next() for _ in range(number)]

    def _next(self) -> Applicant:
        real = self._rows and self._random.random() < REAL_SHARE
        applicant = dict(self._random.choice(self._rows)) if real else draw(self._features, self._random)
        self._made += 1
        applicant[ID_FIELD] = f"{PREFIX}-{self._name}-{self._made}"[:MAX_ID_LENGTH]
        return applicant


def draw(features: tuple[Feature, ...], chance: random.Random) -> Applicant:
    """One applicant with values within vocabularies and ranges; what may be absent is so now and then."""
    applicant: Applicant = {}
    for feature in features:
        if may_be_absent(feature) and chance.random() < ABSENT_SHARE:
            if feature.nullable and chance.random() < 0.5:
                applicant[feature.name] = None
            continue
        applicant[feature.name] = _value(feature, chance)
    return applicant


def may_be_absent(feature: Feature) -> bool:
    """Whether an applicant may omit the field."""
    needed = (feature.name,) if feature.required else ()
    return optional(feature, needed)  # type: ignore[arg-type] # it reads three attributes


def _value(feature: Feature, chance: random.Random) -> str | int | float:
    if feature.type == "categorical":
        return chance.choice(feature.categories)
    # Without a bound in the dataset file, values within 100 of the other one, or of zero, are as good as any.
    lowest = feature.minimum if feature.minimum > -WIDE else min(0.0, feature.maximum - 100)
    highest = feature.maximum if feature.maximum < WIDE else max(lowest, 0.0) + 100
    if feature.type == "integer":
        return chance.randint(math.ceil(lowest), math.floor(highest))
    return min(highest, max(lowest, round(chance.uniform(lowest, highest), 3)))


def table_rows(dataset_file: Path, model: Model) -> tuple[list[Applicant], str]:
    """The rows of the model's own table, and a line that says what was found.

    Only a CSV of the dataset that the model was trained on is read, and only rows that the schema allows: whatever else
    is there, drawn applicants do.
    """
    try:
        dataset = yaml.safe_load(dataset_file.read_text(encoding="utf-8"))
        name, path = dataset["name"], Path(dataset["source"]["path"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return [], f"drawn from the schema: {dataset_file} cannot be read"
    if name != model.dataset.name:
        return [], f"drawn from the schema: {dataset_file} is of {name}, and the service has {model.dataset.name}"
    if path.suffix.lower() != ".csv" or not path.is_file():
        return [], f"drawn from the schema: there is no CSV table {path}"
    rows, left_out = [], 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        for record in csv.DictReader(file):
            applicant = _applicant(model.features, record)
            if applicant is None:
                left_out += 1
            else:
                rows.append(applicant)
            if len(rows) >= MAX_ROWS:
                break
    note = f"; {left_out:,} rows outside the schema left out" if left_out else ""
    return rows, f"half drawn from the schema, half from {len(rows):,} rows of {path}{note}"


def _applicant(features: tuple[Feature, ...], record: dict[str, str | None]) -> Applicant | None:
    """A record of the table as an applicant; None if the schema does not allow it."""
    applicant: Applicant = {}
    for feature in features:
        text = record.get(feature.name)
        if text is None or text == MISSING_TEXT:
            if not may_be_absent(feature):
                return None
            continue
        value = _parsed(feature, text)
        if value is None:
            return None
        applicant[feature.name] = value
    return applicant


def _parsed(feature: Feature, text: str) -> str | float | None:
    """A cell as the value of a feature; None if it is not one."""
    if feature.type == "categorical":
        return text if text in feature.categories else None
    try:
        number = float(text)
    except ValueError:
        return None
    if not feature.minimum <= number <= feature.maximum:  # NaN is not either
        return None
    if feature.type == "number":
        return number
    return int(number) if number.is_integer() else None
