"""What cutting and reading a file give, whatever its format."""

from typing import NamedTuple

import pyarrow as pa


class Piece(NamedTuple):
    """Rows of a file that follow each other.

    Attributes:
        start: first row group, or byte.
        stop: the one after the last; -1 for a CSV file that can only be read as a whole.
        rows: how many.
        skip: rows of the row group before them.
    """

    start: int
    stop: int
    rows: int
    skip: int = 0


class ReadBatch(NamedTuple):
    """Rows that were read together.

    Attributes:
        batch: their cells.
        numbers: the number of each in its part, from 0; None where they follow the batch before.
        damaged: rows that are no rows: number in the part, and what is wrong.
    """

    batch: pa.RecordBatch
    numbers: list[int] | None
    damaged: list[tuple[int, str]]
