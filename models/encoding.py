"""From the values of applicants to the two arrays that the network takes: codes of categories, and numbers.

Owns the rule: a category has the code of its place in the vocabulary, an unknown one has code 0, and a missing number
is NaN. `Encoder` applies it to the rows of a request and to the columns of a table. `model.onnx` takes raw values, so
its first nodes apply the rule again, built from the same `category_to_code`; `train.export` compares the two for every
model. Text costs ONNX Runtime more than the network does: with codes it takes two arrays instead of one per feature,
and a single row takes half the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import nan
from typing import Any

import numpy as np
from msgspec import UNSET, Struct
from numpy.typing import NDArray

from configs.feature import Feature
from models.schema import MISSING_TEXT, Schema

UNKNOWN = 0  # the code of a category outside the vocabulary


def category_to_code(feature: Feature) -> dict[str, int]:
    """The code of each category, from 1; a nullable feature has one more, for the missing value.

    >>> category_to_code(Feature(name="housing", type="categorical", categories=("own", "rent"), nullable=True))
    {'own': 1, 'rent': 2, '': 3}
    """
    texts = (*feature.categories, *((MISSING_TEXT,) if feature.nullable else ()))
    return {text: code for code, text in enumerate(texts, start=1)}


class _Codes(dict[Any, int]):
    """`category_to_code` for any value: None and UNSET are missing too, and whatever is unknown has `UNKNOWN`."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(category_to_code(feature))
        self[None] = self[UNSET] = self.get(MISSING_TEXT, UNKNOWN)

    def __missing__(self, value: Any) -> int:
        return UNKNOWN


class Encoder:
    """Encodes applicants of one schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._code_of = [_Codes(feature).__getitem__ for feature in schema.categorical]
        self._texts = schema.values_of(schema.categorical)
        self._numbers = schema.values_of(schema.numeric)
        self._nullable = any(feature.nullable for feature in schema.numeric)

    def codes(self, rows: Sequence[Struct]) -> NDArray[np.int64]:
        """Codes of rows of the schema, `[batch, categorical]`."""
        return self._codes(zip(*map(self._texts, rows), strict=True), len(rows))

    def numbers(self, rows: Sequence[Struct]) -> NDArray[np.float32]:
        """Numbers of rows of the schema, `[batch, numeric]`, NaN where missing."""
        values = list(map(self._numbers, rows))
        if self._nullable:
            values = [tuple(nan if value is None or value is UNSET else value for value in row) for row in values]
        return np.array(values, dtype=np.float32)

    def columns(self, columns: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Codes `[batch, categorical]` and numbers `[batch, numeric]` of columns of shape `[batch]` or `[batch, 1]`."""
        batch = len(next(iter(columns.values())))
        codes = self._codes((columns[feature.name].flat for feature in self._schema.categorical), batch)
        numbers = np.empty((batch, len(self._schema.numeric)), dtype=np.float32)
        for index, feature in enumerate(self._schema.numeric):
            numbers[:, index] = columns[feature.name].reshape(batch)
        return codes, numbers

    def _codes(self, columns: Iterable[Iterable[Any]], batch: int) -> NDArray[np.int64]:
        codes = chain.from_iterable(map(map, self._code_of, columns))
        shape = (len(self._code_of), batch)
        return np.ascontiguousarray(np.fromiter(codes, np.int64, shape[0] * shape[1]).reshape(shape).T)
