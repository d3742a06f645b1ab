"""Stage check: validates every value of the table against the dataset file, before any training.

A value must satisfy the same rules as in a request (`models.validation.value_fault`), so the model is trained on what
the service accepts. Leaves checks of the table as a whole to `train.checks`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from configs.dataset import Dataset
from configs.feature import Feature
from models.validation import value_fault
from train.errors import Faults
from train.outcomes import Outcomes, enough_of_each
from train.tables.beside import Beside
from train.tables.column import NumberColumn, TableColumn, joined
from train.tables.missing import CODES, MARKERS
from train.tables.numbers import NumberFormat, spelled_number
from train.tables.parquet_file import text_of
from train.tables.reader import TableChunk, read_table
from train.tables.table import Table


def check(dataset: Dataset, min_rows_per_class: int) -> Table:
    """Read the dataset's table and check every value.

    Args:
        dataset: the dataset file; its path is relative to the working directory.
        min_rows_per_class: rows that each of the two outcomes must have, so that every fold holds some of both.
    """
    path, form = Path(dataset.source.path), NumberFormat.of(dataset.source)
    faults, outcomes, several = Faults(), Outcomes(dataset.target), False
    beside = Beside(dataset)
    parts: dict[str, list[TableColumn]] = {feature.name: [] for feature in dataset.features}
    lines = [np.zeros(0, dtype=np.int64)]
    wanted = [*parts, dataset.target.column, *beside.columns.values()]
    for chunk in read_table(dataset.source, wanted, faults, is_date=lambda name: name == dataset.source.time):
        for feature in dataset.features:
            parts[feature.name].append(_convert(chunk, feature, form, faults))
        outcomes.add(chunk, faults)
        beside.add(chunk, faults)
        lines.append(np.array(chunk.lines, dtype=np.int64))
        several = several or bool(chunk.where)
    faults.stop(path)
    target, counted = outcomes.settle(path)
    others, old = beside.settle(path, counted)
    young, counted = int((counted & ~old).sum()), counted & old
    enough_of_each(path, dataset.target, target[counted], min_rows_per_class)
    numbers = np.concatenate(lines)
    if several:  # a line says nothing without its file
        numbers = np.arange(1, len(target) + 1)
    table = Table({name: joined(parts.pop(name)) for name in [*parts]}, target, numbers).with_beside(others)
    return table if counted.all() else replace(table.rows(np.flatnonzero(counted)), young=young)


def _convert(chunk: TableChunk, feature: Feature, form: NumberFormat, faults: Faults) -> TableColumn:
    """One column as text or floats; faults are added with their line. Each distinct cell is checked once."""
    seen: dict[Any, tuple[Any, str | None]] = {}
    values = []
    for line, cell in zip(chunk.lines, chunk.columns[feature.name], strict=True):
        if cell not in seen:
            value = _value(feature, cell, form)
            seen[cell] = value, value_fault(feature, value)
        value, fault = seen[cell]
        if fault:
            shown = cell if isinstance(cell, str) else text_of(cell)
            faults.add(f"{chunk.where}line {line}, column {feature.name!r}: {shown!r} {fault}{_hint(feature, shown)}")
            value = None  # it may not fit the type of the column, and the table is rejected anyway
        values.append(value)
    return np.array(values, dtype=object) if feature.type == "categorical" else NumberColumn(values)


def _value(feature: Feature, cell: Any, form: NumberFormat) -> Any:
    """A cell as the value of a request: an empty cell is null, numbers are floats, categories text."""
    if cell == "":
        return None
    if feature.type == "categorical":
        return text_of(cell)
    if isinstance(cell, str):
        number = form.parse(cell)
        return cell if number is None else number
    return float(cell)


def _hint(feature: Feature, text: str) -> str:
    """What a refused cell probably is, where that has a setting or a remedy of its own."""
    if text.strip() in MARKERS:
        return "; where it means a missing value, list it in null_values under source, and set nullable: true"
    if feature.type == "categorical":
        return ""
    if NumberFormat().parse(text) in CODES:
        return "; where it means a missing value, list it in null_values under source, and set nullable: true"
    how = spelled_number(text)
    return f"; it is {how}" if how else ""
