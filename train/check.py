"""Stage check: validates every value of the table against the dataset file, before any training.

A value must satisfy the same rules as in a request (`models.request.value_fault`), so the model is trained on what the
service accepts. Leaves checks of the table as a whole to `train.checks`.
"""

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset, Feature
from models.request import value_fault
from train.errors import Faults, TableError
from train.tables.column import NumberColumn, TableColumn, joined
from train.tables.reader import TableChunk, read_table
from train.tables.table import Table

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


def check(dataset: Dataset, min_rows_per_class: int) -> Table:
    """Read the dataset's table and check every value.

    Args:
        dataset: the dataset file; its path is relative to the working directory.
        min_rows_per_class: rows that each of the two outcomes must have, so that every fold holds some of both.
    """
    path = Path(dataset.source.path)
    faults, outcomes = Faults(), Counter[str]()
    parts: dict[str, list[TableColumn]] = {feature.name: [] for feature in dataset.features}
    happened, lines = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for chunk in read_table(path, [*parts, dataset.target.column], faults):
        for feature in dataset.features:
            parts[feature.name].append(_convert(chunk, feature, faults))
        texts = _outcomes(chunk, dataset.target.column, faults)
        outcomes.update(texts)
        lines.append(np.array(chunk.lines, dtype=np.int64))
        happened.append(np.array([text == dataset.target.event for text in texts], dtype=np.int64))
    faults.stop(path)
    target = np.concatenate(happened)
    _check_classes(path, dataset, outcomes, target, min_rows_per_class)
    return Table({name: joined(parts.pop(name)) for name in [*parts]}, target, np.concatenate(lines))


def _convert(chunk: TableChunk, feature: Feature, faults: Faults) -> TableColumn:
    """One column as text or floats; faults are added with their line. Each distinct cell is checked once."""
    seen: dict[Any, tuple[Any, str | None]] = {}
    values = []
    for line, cell in zip(chunk.lines, chunk.columns[feature.name], strict=True):
        if cell not in seen:
            value = _value(feature, cell)
            seen[cell] = value, value_fault(feature, value)
        value, fault = seen[cell]
        if fault:
            faults.add(f"line {line}, column {feature.name!r}: {cell!r} {fault}")
            value = None  # it may not fit the type of the column, and the table is rejected anyway
        values.append(value)
    return np.array(values, dtype=object) if feature.type == "categorical" else NumberColumn(values)


def _outcomes(chunk: TableChunk, column: str, faults: Faults) -> list[str]:
    """The outcomes as text; a missing outcome is a fault."""
    texts = [str(value) for value in chunk.columns[column]]
    if "" in texts:
        for line, text in zip(chunk.lines, texts, strict=True):
            if text == "":
                faults.add(f"line {line}, column {column!r}: the outcome is missing")
    return texts


def _value(feature: Feature, cell: Any) -> Any:
    """A cell as the value of a request: an empty cell is null, numbers are floats, categories text."""
    if cell == "" or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if feature.type == "categorical":
        return str(cell)
    if isinstance(cell, str):
        return float(cell) if NUMBER.fullmatch(cell) else cell
    return cell if isinstance(cell, bool) else float(cell)


def _check_classes(
    path: Path, dataset: Dataset, outcomes: Counter[str], target: NDArray[np.int64], min_rows: int
) -> None:
    column, event = dataset.target.column, dataset.target.event
    if not len(target):
        raise TableError(path, ["has a header and no rows"])
    if not target.any():
        known = ", ".join(repr(value) for value in sorted(outcomes)[:5])
        raise TableError(path, [f"column {column!r} never takes the event {event!r}, only {known}; fix target.event"])
    if target.all():
        raise TableError(path, [f"column {column!r} is always {event!r}; training needs both outcomes"])
    events = int(target.sum())
    if min(events, len(target) - events) < min_rows:
        counts = f"{events} rows with the event and {len(target) - events} without"
        raise TableError(path, [f"{counts}; at least {min_rows} of each are needed"])
