"""Probabilities of a whole table by a graph, some rows at a time."""

import numpy as np
from numpy.typing import NDArray

from models.schema import Column
from models.scorer import Scorer

CHUNK_ROWS = 1024  # rows scored at a time: the first layer takes a double per row, unit and member


def onnx_probabilities(scorer: Scorer, feed: dict[str, Column]) -> NDArray[np.float32]:
    """Probabilities by the graph, `[batch]`; in chunks, because ONNX Runtime keeps the memory of its largest batch."""
    rows = len(next(iter(feed.values())))
    parts = [scorer.probabilities({name: column[part] for name, column in feed.items()}) for part in chunks(rows)]
    return np.concatenate(parts)


def chunks(rows: int) -> list[slice]:
    """Consecutive slices of `rows` rows.

    >>> chunks(1500)
    [slice(0, 1024, None), slice(1024, 2048, None)]
    """
    return [slice(start, start + CHUNK_ROWS) for start in range(0, rows, CHUNK_ROWS)]
