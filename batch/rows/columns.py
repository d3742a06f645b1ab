"""From columns of Arrow to arrays: codes of categories and numbers, a column at a time.

Owns the quick way, without Python for any cell: each reader gives an array, and which rows are surely valid. Those that
are not are looked at one by one, by `batch.rows.cells` and `models.validation`; they are few, or all of them refused.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as are
from numpy.typing import NDArray

from batch.rows.cells import Dialect, codes_of
from configs.feature import Feature
from models.encoding import UNKNOWN, category_to_code

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
REFUSED = np.inf  # stands for a text that is no plain number: above any maximum


class CategoryReader:
    """Reads the column of a categorical feature.

    Args:
        feature: of the dataset file.
        dialect: how the table spells missing values.
    """

    def __init__(self, feature: Feature, dialect: Dialect) -> None:
        self._codes, self._dialect = category_to_code(feature), dialect
        self._missing = self._codes.get("", UNKNOWN)

    def read(self, column: pa.Array) -> tuple[NDArray[np.int64], Flags]:
        """Codes, and which of them are known, `[rows]` each."""
        if not are.is_dictionary(column.type):
            column = column.dictionary_encode()
        texts = column.dictionary.to_pylist()
        codes = np.append(codes_of(texts, self._codes, self._dialect), self._missing)
        indices = column.indices.fill_null(len(texts)) if column.null_count else column.indices
        found: NDArray[np.int64] = codes[indices.to_numpy(zero_copy_only=False)]
        return found, found != UNKNOWN


class NumberReader:
    """Reads the column of a feature that is a number.

    Args:
        feature: of the dataset file.
        dialect: how the table spells numbers and missing values.
    """

    def __init__(self, feature: Feature, dialect: Dialect) -> None:
        self._feature, self._dialect = feature, dialect
        self._nulls = np.array(sorted(dialect.null_numbers))

    def read(self, column: pa.Array) -> tuple[Floats, Flags]:
        """Numbers, NaN where missing, and which of them are allowed, `[rows]` each."""
        if are.is_dictionary(column.type):
            column = column.dictionary_decode()
        values = floats_of(column, self._dialect)
        if len(self._nulls):
            values = np.where(np.isin(values, self._nulls), np.nan, values)
        allowed = (values >= self._feature.lowest) & (values <= self._feature.highest)
        if self._feature.type == "integer":
            allowed &= np.rint(values) == values
        if self._feature.nullable:
            allowed |= np.isnan(values)
        return values, allowed


def reader_of(feature: Feature, dialect: Dialect) -> CategoryReader | NumberReader:
    """The reader of a feature."""
    return (CategoryReader if feature.type == "categorical" else NumberReader)(feature, dialect)


def plain(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """The columns of these names that there are, in types that all of Arrow's functions know."""
    columns = {name: batch.column(name) for name in names if batch.schema.get_field_index(name) >= 0}
    for name, column in columns.items():
        if are.is_run_end_encoded(column.type):
            columns[name] = pc.run_end_decode(column)
        kind = columns[name].type
        if are.is_string_view(kind):
            columns[name] = pc.cast(columns[name], pa.large_string())
        elif are.is_binary_view(kind):
            columns[name] = pc.cast(columns[name], pa.large_binary())
    return pa.record_batch(columns)


def floats_of(column: pa.Array, dialect: Dialect) -> Floats:
    """A column as doubles, the nearest to each cell: NaN where it is null, `REFUSED` where it is no number.

    >>> from configs.dataset import Source
    >>> floats_of(pa.array(["1.5", None, "x"]), Dialect(Source(path="x"))).tolist()
    [1.5, nan, inf]
    """
    kind = column.type
    if are.is_floating(kind) or are.is_integer(kind):
        return _doubles(pc.cast(column, pa.float64(), safe=False))
    if are.is_decimal(kind):  # by way of text, as Arrow's own cast is not always the nearest double
        return _doubles(pc.cast(pc.cast(column, pa.string()), pa.float64()))
    if are.is_null(kind):
        return np.full(len(column), np.nan)
    if are.is_string(kind) or are.is_large_string(kind):
        return _from_texts(column, dialect)
    return np.full(len(column), REFUSED)  # booleans, and bytes


def _from_texts(column: pa.Array, dialect: Dialect) -> Floats:
    texts = column
    for null in dialect.nulls:
        texts = pc.if_else(pc.equal(texts, null), pa.scalar(None, texts.type), texts)
    if dialect.is_plain:
        try:
            values = _doubles(pc.cast(texts, pa.float64()))
        except pa.ArrowInvalid:
            pass
        else:
            values[np.isnan(values) & _filled(texts)] = REFUSED  # the text nan
            return values
    plain = pc.match_substring_regex(texts, f"^(?:{dialect.pattern})$")
    kept = pc.if_else(plain, texts, pa.scalar(None, texts.type))
    if dialect.thousands:
        kept = pc.replace_substring(kept, dialect.thousands, "")
    if dialect.decimal != ".":
        kept = pc.replace_substring(kept, dialect.decimal, ".")
    values = _doubles(pc.cast(kept, pa.float64()))
    values[np.isnan(values) & _filled(texts)] = REFUSED
    return values


def _filled(texts: pa.Array) -> Flags:
    filled: Flags = pc.is_valid(texts).to_numpy(zero_copy_only=False)
    return filled


def _doubles(column: pa.Array) -> Floats:
    """Doubles as an array of its own, NaN where null."""
    values: Floats = column.to_numpy(zero_copy_only=False)
    return values if values.flags.writeable else values.copy()
