"""A checked table: the type that the stages share, and `table.parquet`, the file that carries it between them.

Owns the file's layout. Leaves reading a user's table to `train.tables.reader`, and its checks to `train.check`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from train.tables.column import NumberColumn, TableColumn

TARGET = "target"  # cannot clash with a feature: those are called `feature: <name>`
BESIDE = {"time": np.int64, "group": np.int64, "weight": np.float64}  # in the file only where the dataset file has them


@dataclass(frozen=True)
class Table:
    """A checked table.

    Attributes:
        columns: each feature's values, text or float, `None` where missing; compact, see `train.tables.column`.
        target: `[rows]`, 1 where the event happened.
        lines: `[rows]`, the line of each row in the user's file; empty where the table does not come from one.
        time: `[rows]`, the day of each application, from 1970-01-01; empty without `source.time`.
        group: `[rows]`, equal for the rows of one customer; empty without `source.group`.
        weight: `[rows]`, what a row counts, with a mean of 1 over the whole table; empty without `source.weight`.
        young: rows that were left out, because of `target.mature_after_days`.
    """

    columns: dict[str, TableColumn]
    target: NDArray[np.int64]
    lines: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    time: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    group: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    weight: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    young: int = 0

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns as arrays, with NaN for a missing number."""
        return {
            name: values.array if isinstance(values, NumberColumn) else values for name, values in self.columns.items()
        }

    def with_beside(self, beside: Mapping[str, NDArray[Any]]) -> "Table":
        """The table with some of time, group and weight, by name."""
        changes: dict[str, Any] = {name: beside[name] for name in BESIDE if name in beside}
        return replace(self, **changes)

    def rows(self, index: NDArray[np.int64]) -> "Table":
        """The rows at `index`, in its order."""
        columns = {name: values[index] for name, values in self.columns.items()}
        beside = {
            name: part[index] if len(part := getattr(self, name)) else part
            for name in ("lines", "time", "group", "weight")
        }
        return Table(columns, self.target[index], **beside)


def write_parquet(table: Table, path: Path) -> None:
    """Write columns and target; the same table gives the same bytes. Line numbers are not kept."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {f"feature: {name}": pa.array(values, from_pandas=True) for name, values in table.arrays.items()}
    beside = {name: pa.array(part) for name in BESIDE if len(part := getattr(table, name))}
    parquet.write_table(pa.table(columns | {TARGET: pa.array(table.target)} | beside), path)


def read_parquet(path: Path, dataset: Dataset) -> Table:
    """Read a table of `dataset` that `write_parquet` wrote; rows with equal text share one object."""
    from pyarrow import parquet

    read = parquet.read_table(path)
    columns: dict[str, TableColumn] = {}
    for feature in dataset.features:
        column = read[f"feature: {feature.name}"].combine_chunks()
        if feature.type == "categorical":
            encoded = column.dictionary_encode()
            texts = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
            columns[feature.name] = texts[encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)]
        else:
            columns[feature.name] = NumberColumn(column.to_numpy(zero_copy_only=False))
    beside = {name: read[name].to_numpy().astype(kind) for name, kind in BESIDE.items() if name in read.column_names}
    return Table(columns, read[TARGET].to_numpy().astype(np.int64), **beside)
