"""A column of a checked table, compact: eight bytes a value, read as text or float, and as `None` where missing.

Owns how a column is kept in memory. What may stand in it is `train.check`'s matter.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TextColumn = NDArray[np.object_]  # `[rows]` references to text; within a chunk, equal texts share one object
ITERATED = 8192  # values that stand as Python's floats, four times as large, while a column is gone through


class NumberColumn(Sequence[float | None]):
    """Floats in an array, NaN where missing; read one by one, a missing value is `None`.

    >>> list(NumberColumn([1.0, None])), NumberColumn([1.0, None, 3.0])[np.array([2, 1])]
    ([1.0, None], NumberColumn([3.0, None]))
    """

    def __init__(self, values: Sequence[float | None] | NDArray[np.float64]) -> None:
        self.array = np.asarray(values, dtype=np.float64)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: Any) -> Any:
        chosen = self.array[index]
        if isinstance(chosen, np.ndarray):
            return NumberColumn(chosen)
        return None if np.isnan(chosen) else float(chosen)

    def __iter__(self) -> Iterator[float | None]:
        for start in range(0, len(self.array), ITERATED):
            for value in self.array[start : start + ITERATED].tolist():
                yield None if value != value else value

    def __repr__(self) -> str:
        return f"NumberColumn({list(self)})"


TableColumn = TextColumn | NumberColumn


def joined(parts: Sequence[TableColumn]) -> TableColumn:
    """One column from its chunks, which are all text or all numbers."""
    numbers = [part.array for part in parts if isinstance(part, NumberColumn)]
    if numbers:
        return NumberColumn(np.concatenate(numbers))
    return np.concatenate([part for part in parts if not isinstance(part, NumberColumn)])
