"""Encoding: rows and columns by one rule; `tests/train/network/test_onnx_graph.py` holds the graph to it."""

import msgspec
import numpy as np

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from models.encoding import UNKNOWN, Encoder
from models.schema import Schema

SCHEMA = Schema(
    Dataset(
        name="x",
        source=Source(path="x.csv"),
        target=Target(column="y", event="late"),
        costs=Costs(missed_event=1, false_alarm=1),
        features=(
            Feature(name="housing", type="categorical", categories=("own", "rent")),
            Feature(name="amount", type="number"),
            Feature(name="job", type="categorical", categories=("skilled",), nullable=True),
            Feature(name="age", type="integer", nullable=True),
        ),
    )
)
ROWS = [
    {"housing": "own", "amount": 0.1, "job": "skilled", "age": 30},
    {"housing": "rent", "amount": -1e30, "job": None, "age": None},
    {"housing": "rent", "amount": 7},
]
CODES = [[1, 1], [2, 2], [2, 2]]
NUMBERS = np.array([[0.1, 30], [-1e30, np.nan], [7, np.nan]], dtype=np.float32)


def test_rows_and_columns_have_the_same_codes_and_numbers():
    encoder = Encoder(SCHEMA)
    rows = [msgspec.convert(row, SCHEMA.row) for row in ROWS]
    table = {
        feature.name: np.array([row.get(feature.name) for row in ROWS], dtype=object)
        if feature.type == "categorical"
        else np.array([row.get(feature.name) for row in ROWS], dtype=np.float64)
        for feature in SCHEMA.inputs
    }
    for codes, numbers in (
        (encoder.codes(rows), encoder.numbers(rows)),
        encoder.columns(table),
        encoder.columns(SCHEMA.feed(rows)),
    ):
        assert (codes.dtype, numbers.dtype) == (np.int64, np.float32)
        assert codes.tolist() == CODES
        np.testing.assert_array_equal(numbers, NUMBERS)


def test_what_is_outside_the_vocabulary_is_unknown_and_missing_is_so_where_it_is_not_allowed():
    columns = SCHEMA.feed([msgspec.convert(row, SCHEMA.row) for row in ROWS])
    columns |= {"housing": np.array(["Own", "", None], dtype=object), "job": np.array(["", None, "x"], dtype=object)}
    assert Encoder(SCHEMA).columns(columns)[0].tolist() == [[UNKNOWN, 2], [UNKNOWN, 2], [UNKNOWN, UNKNOWN]]


def test_columns_without_rows_have_arrays_without_rows():
    empty = {name: column[:0] for name, column in SCHEMA.feed([msgspec.convert(ROWS[0], SCHEMA.row)]).items()}
    codes, numbers = Encoder(SCHEMA).columns(empty)
    assert (codes.shape, numbers.shape) == ((0, 2), (0, 2))
