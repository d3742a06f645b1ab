"""A table as opponents take it: codes of categories and numbers in one matrix, or that matrix without text and gaps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.encoding import Encoder
from models.schema import Schema
from train.tables.table import Table


@dataclass(frozen=True)
class Matrix:
    """The inputs of a schema.

    Attributes:
        values: `[rows, columns]`, codes of the categorical columns (0 is unknown), then numbers (NaN is missing).
        categorical: how many of the columns are categorical; they are the first ones.
    """

    values: NDArray[np.float64]
    categorical: int


def matrix(schema: Schema, table: Table) -> Matrix:
    """The rows of a table, without protected columns."""
    codes, numbers = Encoder(schema).columns(table.arrays)
    return Matrix(np.hstack([codes, numbers]).astype(np.float64), codes.shape[1])


class Filled:
    """Indicators of the categories, numbers in standard units with gaps at the median, and an indicator of each gap.

    Args:
        training: the rows that say what is known: categories, medians, deviations, and which columns have gaps.
    """

    def __init__(self, training: Matrix) -> None:
        numbers = training.values[:, training.categorical :]
        known = [np.unique(training.values[:, column]) for column in range(training.categorical)]
        self._known = [codes[codes > 0] for codes in known]
        self._gaps = np.flatnonzero(np.isnan(numbers).any(axis=0))
        there = ~np.isnan(numbers).all(axis=0)
        self._middle = np.zeros(numbers.shape[1])
        self._middle[there] = np.nanmedian(numbers[:, there], axis=0)
        filled = np.where(np.isnan(numbers), self._middle, numbers)
        self._mean, spread = filled.mean(axis=0), filled.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)

    def __call__(self, rows: Matrix) -> NDArray[np.float64]:
        """`[rows, inputs]`; a category that the training rows lack is none of the indicators."""
        numbers = rows.values[:, rows.categorical :]
        missing = np.isnan(numbers)
        parts = [rows.values[:, [column]] == codes for column, codes in enumerate(self._known)]
        parts += [missing[:, self._gaps], (np.where(missing, self._middle, numbers) - self._mean) / self._spread]
        return np.hstack(parts).astype(np.float64)
