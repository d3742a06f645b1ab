"""A column of a checked table: eight bytes per value, read as text or float, or as `None` where missing.

Owns the representation in memory. Leaves the values allowed to `train.check`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TextColumn = NDArray[np.object_]  # `[rows]` references to text; within a chunk, equal texts share one object
ITERATED = 8192  # values converted at a time during iteration: a Python float takes four times as much memory


class NumberColumn(Sequence[float | None]):
    """Floats in an array, NaN where missing; as a sequence, a missing value is `None`.

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
