"""The columns beside features and outcome: when somebody applied, who did, and what the row counts.

Owns their reading: the day of each row, a number that the rows of one customer share, and weights whose mean is 1. Each
fault is told with its line. Leaves what is done with them to `train.split`, `train.fit` and `train.evaluation`.
"""

import math
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from configs.dates import FORMS, day_of, iso
from train.errors import Faults, TableError
from train.tables.numbers import NumberFormat
from train.tables.parquet_file import text_of
from train.tables.reader import TableChunk

LEAST_TIMES = 4  # one to train on, two to validate on, and one to test on


class Beside:
    """Collects the columns of `source.time`, `source.group` and `source.weight`, as many as there are.

    Args:
        dataset: the dataset file.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self.columns = dataset, dataset.source.beside
        form = NumberFormat.of(dataset.source)
        self._read: dict[str, Callable[[Any], float | int | None]] = {
            "time": lambda cell: day_of(text_of(cell)),
            "group": lambda cell: customer(text_of(cell)) if cell != "" else None,
            "weight": lambda cell: _weight(cell, form),
        }
        self._parts: dict[str, list[NDArray[Any]]] = {key: [] for key in self.columns}

    def add(self, chunk: TableChunk, faults: Faults) -> None:
        """Take in the rows of a chunk."""
        for key, column in self.columns.items():
            known: dict[Any, float | int | None] = {}
            values = []
            for line, cell in zip(chunk.lines, chunk.columns[column], strict=True):
                if cell not in known:
                    known[cell] = self._read[key](cell)
                value = known[cell]
                if value is None:
                    shown = repr(cell if isinstance(cell, str) else text_of(cell)) if cell != "" else "the empty cell"
                    faults.add(f"{chunk.where}line {line}, column {column!r}, source.{key}: {shown} {PROBLEMS[key]}")
                values.append(value or 0)
            self._parts[key].append(np.array(values, dtype=np.float64 if key == "weight" else np.int64))

    def settle(self, path: Path, counted: NDArray[np.bool_]) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
        """The columns by key, `[rows]` each, and which rows count: those of `counted` `[rows]` that are old enough.

        Raises `TableError` where a column cannot do what it is for.
        """
        found = {key: np.concatenate(parts) for key, parts in self._parts.items()}
        if "time" in found:
            counted = counted & self._mature(path, found["time"])
            times = len(np.unique(found["time"][counted]))
            if times < LEAST_TIMES:
                problem = f"has {times} different {'date' if times == 1 else 'dates'} among the rows that count"
                remedy = f"{LEAST_TIMES} are needed, to train, to validate and to test on; remove the key, or add rows"
                raise TableError(path, [f"column {self.columns['time']!r}, source.time: {problem}; {remedy}"])
        if "group" in found and len(np.unique(found["group"][counted])) < 2:
            problem = "has one customer in all rows, who cannot stand on one side of a split alone"
            remedy = "name the column that tells customers apart, or remove the key"
            raise TableError(path, [f"column {self.columns['group']!r}, source.group: {problem}; {remedy}"])
        if "weight" in found:
            found["weight"] = found["weight"] / found["weight"][counted].mean()
        return found, counted

    def _mature(self, path: Path, days: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which rows are so old that what has not happened by then counts as not happening."""
        target = self._dataset.target
        if not target.mature_after_days:
            return np.ones(len(days), dtype=np.bool_)
        said = day_of(target.observed)
        observed = int(days.max()) if said is None else said
        old = days <= observed - target.mature_after_days
        if not old.any():
            problem = f"no row is {target.mature_after_days:,} days older than {iso(observed)}"
            remedy = "set target.observed to the date when the outcomes were recorded, or lower mature_after_days"
            raise TableError(path, [f"column {self.columns['time']!r}, target.mature_after_days: {problem}; {remedy}"])
        return old


PROBLEMS = {
    "time": f"is not a date; write it as one of {FORMS}",
    "group": "names no customer; give such a row a value of its own",
    "weight": "is not a number above 0; correct it, or leave the row out",
}


def customer(text: str) -> int:
    """A number for a customer, the same in every table; who they are is not in it.

    >>> customer("C-17") == customer("C-17") != customer("C-18")
    True
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=b"customer").digest(), "little", signed=True)


def _weight(cell: Any, form: NumberFormat) -> float | None:
    number = form.parse(cell) if isinstance(cell, str) else float(cell)
    return number if number is not None and math.isfinite(number) and number > 0 else None
