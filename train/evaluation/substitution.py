"""What a graph says of applicants with other values: every applicant with each of some values, all else equal.

Owns the scoring of such rows, some at a time. Leaves which values to those who ask.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.schema import Column

CHUNK_ROWS = 1024  # scored at once, as in `train.evaluation.scoring`

Probabilities = Callable[[Mapping[str, Column]], NDArray[np.floating[Any]]]
Road = Callable[[NDArray[Any]], NDArray[np.float64]]


class Applicants:
    """Some applicants, as inputs of a graph, `[applicants, 1]` each."""

    def __init__(self, feed: Mapping[str, Column], probabilities: Probabilities) -> None:
        self.feed, self._probabilities = feed, probabilities
        self.count = len(next(iter(feed.values())))

    def scored(self, changed: Mapping[str, Column] | None = None) -> NDArray[np.float64]:
        """Probabilities `[applicants]`, with a value of its own for each applicant in the columns that are changed."""
        feed = {**self.feed, **(changed or {})}
        parts = [slice(start, start + CHUNK_ROWS) for start in range(0, self.count, CHUNK_ROWS)]
        found = [self._probabilities({name: column[part] for name, column in feed.items()}) for part in parts]
        return np.concatenate(found).astype(np.float64)

    def road(self, name: str) -> Road:
        """From values of one column to probabilities `[applicants, values]`."""
        return lambda values: self.having({name: values})

    def having(self, values: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Probabilities `[applicants, values]`: every applicant with these columns at each place, `[values]` each."""
        width = len(next(iter(values.values())))
        parts, step = [], max(1, CHUNK_ROWS // width)
        for start in range(0, self.count, step):
            some = {name: column[start : start + step] for name, column in self.feed.items()}
            here = len(some[next(iter(some))])
            rows: dict[str, Any] = {name: np.repeat(column, width, axis=0) for name, column in some.items()}
            for name, column in values.items():
                rows[name] = np.tile(column, here)[:, None].astype(some[name].dtype)
            parts.append(self._probabilities(rows).astype(np.float64).reshape(here, width))
        return np.concatenate(parts)
