"""A checked table: the type that the stages share, and `table.parquet`, the file that carries it between them.

Owns the file's layout. Leaves reading a user's table to `train.tables.reader`, and its checks to `train.check`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from train.tables.column import NumberColumn, TableColumn

TARGET = "target"  # cannot clash with a feature: those are called `feature: <name>`


@dataclass(frozen=True)
class Table:
    """A checked table.

    Attributes:
        columns: each feature's values, text or float, `None` where missing; compact, see `train.tables.column`.
        target: `[rows]`, 1 where the event happened.
        lines: `[rows]`, the line of each row in the user's file; empty where the table does not come from one.
    """

    columns: dict[str, TableColumn]
    target: NDArray[np.int64]
    lines: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns as arrays, with NaN for a missing number."""
        return {
            name: values.array if isinstance(values, NumberColumn) else values for name, values in self.columns.items()
        }

    def rows(self, index: NDArray[np.int64]) -> "Table":
        """The rows at `index`, in its order."""
        columns = {name: values[index] for name, values in self.columns.items()}
        return Table(columns, self.target[index], self.lines[index] if len(self.lines) else self.lines)


def write_parquet(table: Table, path: Path) -> None:
    """Write columns and target; the same table gives the same bytes. Line numbers are not kept."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {f"feature: {name}": pa.array(values, from_pandas=True) for name, values in table.arrays.items()}
    parquet.write_table(pa.table(columns | {TARGET: pa.array(table.target)}), path)


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
    return Table(columns, read[TARGET].to_numpy().astype(np.int64))
