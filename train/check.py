"""Stage check: the table against the dataset file, every value, before anything is learnt from it.

The rules for a value are those of a request (`models.request.value_fault`), so the model is trained on what
the service accepts. Leaves drift, duplicates and class balance over time to later checks.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset, Feature
from models.request import value_fault
from train.errors import TableError
from train.table import RawTable, read_table

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class Table:
    """A checked table.

    Attributes:
        columns: each feature's values, text or float, `None` where missing.
        target: `[rows]`, 1 where the event happened.
    """

    columns: dict[str, list[Any]]
    target: NDArray[np.int64]

    def rows(self, index: NDArray[np.int64]) -> "Table":
        """The rows that `index` names, in its order."""
        columns = {name: [values[i] for i in index] for name, values in self.columns.items()}
        return Table(columns, self.target[index])


def check(dataset: Dataset, least_of_each: int) -> Table:
    """Read the dataset's table and check every value.

    Args:
        dataset: the dataset file; its path is taken relative to the working directory.
        least_of_each: rows that event and non-event must each have for the folds to hold some of both.
    """
    path = Path(dataset.source.path)
    raw = read_table(path, [*(feature.name for feature in dataset.features), dataset.target.column])
    faults: list[str] = []
    columns = {feature.name: _convert(raw, feature, faults) for feature in dataset.features}
    outcomes = [str(value) for value in raw.columns[dataset.target.column]]
    faults += [
        f"line {line}, column {dataset.target.column!r}: the outcome is missing"
        for line, outcome in zip(raw.lines, outcomes, strict=True)
        if outcome == ""
    ]
    if faults:
        raise TableError(path, faults)
    target = np.array([outcome == dataset.target.event for outcome in outcomes], dtype=np.int64)
    _check_classes(path, dataset, Counter(outcomes), target, least_of_each)
    return Table(columns, target)


def _convert(raw: RawTable, feature: Feature, faults: list[str]) -> list[Any]:
    """One column as text or floats; faults are added with their line. Each distinct value is looked at once."""
    seen: dict[Any, tuple[Any, str | None]] = {}
    values = []
    for line, cell in zip(raw.lines, raw.columns[feature.name], strict=True):
        if cell not in seen:
            value = _value(feature, cell)
            seen[cell] = value, value_fault(feature, value)
        value, fault = seen[cell]
        if fault:
            faults.append(f"line {line}, column {feature.name!r}: {cell!r} {fault}")
        values.append(value)
    return values


def _value(feature: Feature, cell: Any) -> Any:
    """A cell as the value that a request would bring: empty is null, numbers are floats, categories text."""
    if cell == "" or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if feature.type == "categorical":
        return str(cell)
    if isinstance(cell, str):
        return float(cell) if _NUMBER.fullmatch(cell) else cell
    return cell if isinstance(cell, bool) else float(cell)


def _check_classes(path: Path, dataset: Dataset, outcomes: Counter[str], target: NDArray[np.int64], least: int) -> None:
    column, event = dataset.target.column, dataset.target.event
    if not len(target):
        raise TableError(path, ["has a header and no rows"])
    if not target.any():
        known = ", ".join(repr(value) for value in sorted(outcomes)[:5])
        raise TableError(path, [f"column {column!r} never takes the event {event!r}, only {known}; mend target.event"])
    if target.all():
        raise TableError(path, [f"column {column!r} is always {event!r}; there is nothing to tell apart"])
    events = int(target.sum())
    if min(events, len(target) - events) < least:
        counts = f"{events} rows with the event and {len(target) - events} without"
        raise TableError(path, [f"{counts}; at least {least} of each are needed"])
