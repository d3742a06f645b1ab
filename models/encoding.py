"""What the front of the graph does, in Python: texts to codes, and everything of a kind in one array.

Owns the codes of categories. Texts cost more than the network: with codes ONNX Runtime gets two arrays instead of one a
feature, and a row alone takes half the time.
"""

from collections.abc import Sequence
from itertools import chain
from math import nan
from typing import Any

import numpy as np
from msgspec import UNSET, Struct
from numpy.typing import NDArray

from configs.dataset import Feature
from models.schema import MISSING_TEXT, Column, Schema

UNKNOWN = 0  # the code of a category outside the vocabulary


def category_codes(feature: Feature) -> dict[str, int]:
    """The code of each category, from 1; a nullable feature has one more for the missing value.

    >>> category_codes(Feature(name="housing", type="categorical", categories=("own", "rent"), nullable=True))
    {'own': 1, 'rent': 2, '': 3}
    """
    texts = (*feature.categories, *((MISSING_TEXT,) if feature.nullable else ()))
    return {text: code for code, text in enumerate(texts, start=1)}


def codes_and_numbers(schema: Schema, feed: dict[str, Column]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Codes `[B, categorical]` and numbers `[B, numeric]` of the inputs of the graph."""
    batch = len(next(iter(feed.values())))
    codes = np.zeros((batch, len(schema.categorical)), dtype=np.int64)
    for index, feature in enumerate(schema.categorical):
        book = category_codes(feature)
        codes[:, index] = [book.get(text, UNKNOWN) for text in feed[feature.name][:, 0]]
    numbers = np.zeros((batch, len(schema.numeric)), dtype=np.float32)
    for index, feature in enumerate(schema.numeric):
        numbers[:, index] = feed[feature.name][:, 0]
    return codes, numbers


class RowEncoder:
    """Codes and numbers of rows.

    Args:
        schema: of the rows.
    """

    def __init__(self, schema: Schema) -> None:
        books: list[dict[Any, int]] = [dict(category_codes(feature)) for feature in schema.categorical]
        for feature, book in zip(schema.categorical, books, strict=True):
            if feature.nullable:
                book[None] = book[UNSET] = book[MISSING_TEXT]
        self._code_of = [book.__getitem__ for book in books]  # a row of the schema has no unknown category
        self._texts = schema.values_of(schema.categorical)
        self._numbers = schema.values_of(schema.numeric)
        self._nullable = any(feature.nullable for feature in schema.numeric)

    def codes(self, rows: Sequence[Struct]) -> NDArray[np.int64]:
        """`[B, categorical]`."""
        columns = zip(*map(self._texts, rows), strict=True)
        codes = chain.from_iterable(map(map, self._code_of, columns))
        shape = (len(self._code_of), len(rows))
        return np.ascontiguousarray(np.fromiter(codes, np.int64, shape[0] * shape[1]).reshape(shape).T)

    def numbers(self, rows: Sequence[Struct]) -> NDArray[np.float32]:
        """`[B, numeric]`, NaN for missing."""
        values = list(map(self._numbers, rows))
        if self._nullable:
            values = [tuple(nan if value is None or value is UNSET else value for value in row) for row in values]
        return np.array(values, dtype=np.float32)
