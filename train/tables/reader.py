"""Reads a table chunk by chunk, CSV or Parquet, from one file or several, with the line of each row.

Owns the chunks, and which cells are missing: an empty one, and what the dataset file lists in `source.null_values`.
Otherwise text is taken literally: `none`, `NA` and `null` are ordinary words. Leaves file formats to
`train.tables.csv_file` and `train.tables.parquet_file`, and the meaning of a value to `train.check`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from configs.dataset import Source
from train.errors import Faults
from train.tables.csv_file import read_csv_file
from train.tables.files import files_of, is_parquet
from train.tables.numbers import NumberFormat
from train.tables.parquet_file import read_parquet_file

CHUNK_ROWS = 8192  # rows of text in memory: a few MB, and the cost per chunk is negligible


@dataclass(frozen=True)
class TableChunk:
    """Rows read together.

    Attributes:
        columns: cells by column: text, whole numbers, floats or decimals; the empty text where missing.
        lines: the line of each row in its file; in Parquet, its number from 1.
        where: the file, with a comma and a space, if the table has several; to go before `line 3`.
        unusable: the reason for each column whose values are neither text nor numbers, when all columns were asked for.
        unnamed: columns without a name that were passed over.
    """

    columns: dict[str, list[Any]]
    lines: Sequence[int]
    where: str = ""
    unusable: dict[str, str] = field(default_factory=dict)
    unnamed: int = 0


def read_table(
    source: Source,
    wanted: list[str] | None,
    faults: Faults,
    remedy: str = "set source.path in the dataset file",
    is_date: Callable[[str], bool] = lambda _: False,
) -> Iterator[TableChunk]:
    """Read a table; an empty chunk comes first, as even a table without rows has columns.

    Args:
        source: where it is and how it is written.
        wanted: names of columns; None for all.
        faults: collects faulty rows and cells; an unreadable file raises instead.
        remedy: what to do where no file is there.
        is_date: whether a column, by its name, may have the type of a date in Parquet; it becomes text, 2024-01-31.
    """
    files = files_of(Path(source.path), remedy)
    nulls = _Nulls(source)
    for path in files:
        where = f"{path.name}, " if len(files) > 1 else ""
        if is_parquet(path):
            for columns, rows, unusable in read_parquet_file(path, wanted, faults, CHUNK_ROWS, where, is_date):
                yield TableChunk(nulls.without(columns), rows, where, unusable)
                wanted = [*columns] if wanted is None and len(files) > 1 else wanted
        else:
            for columns, lines, unnamed in read_csv_file(path, source, wanted, faults, CHUNK_ROWS, where):
                yield TableChunk(nulls.without(columns), lines, where, {}, unnamed if unnamed > 1 else 0)
                wanted = [*columns] if wanted is None and len(files) > 1 else wanted


class _Nulls:
    """The values that a dataset file calls missing: as they are spelled in text, as they are worth in numbers."""

    def __init__(self, source: Source) -> None:
        form = NumberFormat.of(source)
        self._texts = frozenset(source.null_values)
        self._numbers = frozenset(n for text in source.null_values if (n := form.parse(text)) is not None)

    def without(self, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The columns with these values empty."""
        if not self._texts:
            return columns
        return {name: ["" if self._missing(cell) else cell for cell in cells] for name, cells in columns.items()}

    def _missing(self, cell: Any) -> bool:
        return cell in self._texts if isinstance(cell, str) else cell in self._numbers
