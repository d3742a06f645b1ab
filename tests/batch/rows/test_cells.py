"""A table is read in batch as training reads it: the two readers agree cell by cell."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.rows.cells import Dialect, value_of
from batch.rows.columns import REFUSED, floats_of
from configs.dataset import Source
from configs.feature import Feature
from train.check import _value
from train.errors import Faults
from train.tables.numbers import NumberFormat
from train.tables.parquet_file import read_parquet_file

NUMBER = Feature(name="n", type="number", nullable=True)
TEXT = Feature(name="n", type="categorical", categories=("x",), nullable=True)
SPELLINGS = ["1", "+1", " 1 ", "1.5", "1,5", "1.234,5", "1,234.5", "12,34,567", "1e3", "1E+3", ".5", "5.", "-0", "nan"]
SPELLINGS += ["inf", "1_000", "0x10", "1 000", "--1", "1e", "e1", ".", "٣", "3\x1f", "1.2.3", "007", "1e999", "1e-999"]


@pytest.mark.parametrize(("decimal", "thousands"), [(".", ""), (",", "."), (".", ","), (",", " ")])
def test_numbers_are_spelled_as_in_training(decimal, thousands):
    dialect, form = Dialect(Source(path="x", decimal=decimal, thousands=thousands)), NumberFormat(decimal, thousands)
    assert [dialect.number(text) for text in SPELLINGS] == [form.parse(text) for text in SPELLINGS]
    quick = floats_of(pa.array(SPELLINGS), dialect).tolist()
    assert all(number in (REFUSED, form.parse(text)) for text, number in zip(SPELLINGS, quick, strict=True))
    usual = SPELLINGS.index("1.5" if decimal == "." else "1,5")
    assert quick[usual] == 1.5


def test_cells_of_parquet_are_those_of_training(tmp_path):
    columns = {
        "text": pa.array(["x", "", None]),
        "bytes": pa.array([b"x", b"", None]),
        "flags": pa.array([True, False, None]),
        "whole": pa.array([7, -3, None]),
        "large": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "half": pa.array([0.5, 1e300, float("nan")]),
        "exact": pa.array([Decimal("1.50"), Decimal("-0.10"), None]),
        "dictionary": pa.array(["x", "y", None]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    _, (read, _, _) = read_parquet_file(tmp_path / "t.parquet", None, Faults(), 10, "")
    dialect = Dialect(Source(path="x"))
    for name, column in columns.items():
        for feature in (NUMBER, TEXT):
            here = [value_of(feature, cell, dialect) for cell in column.to_pylist()]
            assert here == [_value(feature, cell, NumberFormat()) for cell in read[name]], name


def test_what_the_dataset_file_calls_missing_is_missing():
    dialect = Dialect(Source(path="x", null_values=("NA", "-999")))
    texts = ["NA", "-999", "-999.0", "", "5"]
    assert [value_of(NUMBER, cell, dialect) for cell in [*texts, -999, -999.0]] == [
        None,
        None,
        -999.0,
        None,
        5.0,
        None,
        None,
    ]
