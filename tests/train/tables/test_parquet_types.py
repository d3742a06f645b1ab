"""What the columns of a Parquet file become: text and numbers as they are, nothing that a library makes of the rest."""

import datetime as dt
import decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from configs.dataset import Costs, Dataset, Source, Target, read_dataset
from configs.feature import Feature
from train.check import check
from train.drafting.describe import describe
from train.errors import TableError

WORDS = ["east", None, "são paulo", "north"] * 10
COORDINATES = pa.struct([("x", pa.int64())])
MOMENT = dt.datetime(2024, 1, 31, 12, 30, tzinfo=dt.UTC)
FORMS = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "binary_view": pa.binary_view(),
    "dictionary of binary": pa.dictionary(pa.int8(), pa.binary()),
}
NOT_VALUES = {
    "date": pa.array([MOMENT.date()] * 40),
    "timestamp": pa.array([MOMENT] * 40),
    "nanoseconds": pa.array([1] * 40, pa.timestamp("ns")),
    "time": pa.array([dt.time(12)] * 40),
    "duration": pa.array([1] * 40, pa.duration("s")),
    "list": pa.array([[1]] * 40),
    "fixed list": pa.array([[1, 2]] * 40, pa.list_(pa.int64(), 2)),
    "struct": pa.array([{"x": 1}] * 40, COORDINATES),
    "map": pa.array([[("a", 1)]] * 40, pa.map_(pa.string(), pa.int64())),
    "list of structs": pa.array([[{"x": 1}]] * 40, pa.list_(COORDINATES)),
}


def outcomes():
    return ["yes" if row % 3 == 0 else "no" for row in range(40)]


@pytest.fixture
def checked(tmp_path):
    """`checked(array, **feature)`: the column as training reads it."""

    def run(array, **feature):
        path = tmp_path / "t.parquet"
        parquet.write_table(pa.table({"column": array, "denied": outcomes()}), path)
        dataset = Dataset(
            name="x",
            source=Source(path=str(path)),
            target=Target(column="denied", event="yes"),
            costs=Costs(missed_event=1, false_alarm=1),
            features=(Feature(**{"name": "column", "type": "categorical", "nullable": True} | feature),),
        )
        return list(check(dataset, 2).columns["column"])

    return run


@pytest.fixture
def drafted(tmp_path):
    """`drafted(array)`: the draft of a table with this column, and the categories or the line that the column has."""

    def run(array):
        path = tmp_path / "t.parquet"
        kept = [f"k{row % 4}" for row in range(40)]
        parquet.write_table(pa.table({"kept": kept, "column": array, "denied": outcomes()}), path)
        text = describe(path, "denied", "yes")
        (tmp_path / "t.yaml").write_text(text)
        dataset = read_dataset(tmp_path / "t.yaml")
        check(dataset, 2)  # the draft holds for its table
        found = [feature for feature in dataset.features if feature.name == "column"]
        return found[0] if found else next(line for line in text.splitlines() if line.startswith("#   column: "))

    return run


@pytest.mark.parametrize("kind", FORMS.values(), ids=FORMS)
def test_text_is_text_however_it_is_stored(checked, drafted, kind):
    encoded = [word.encode() if word and "binary" in str(kind) else word for word in WORDS]
    array = (
        pa.array(encoded, kind.value_type).dictionary_encode()
        if pa.types.is_dictionary(kind)
        else pa.array(encoded, kind)
    )
    assert checked(array, categories=("east", "north", "são paulo")) == WORDS
    assert drafted(array).categories == ("east", "north", "são paulo")


def test_binary_that_is_no_text_is_refused_with_its_row(checked):
    array = pa.array([b"east"] * 39 + [b"\xff\xfe\x00"])
    with pytest.raises(TableError) as caught:
        checked(array, categories=("east",))
    assert caught.value.faults == [
        "line 40, column 'column': b'\\xff\\xfe\\x00' is not UTF-8; store text there, or remove the column"
    ]


@pytest.mark.parametrize("array", NOT_VALUES.values(), ids=NOT_VALUES)
def test_what_is_neither_text_nor_number_is_refused_by_type_and_left_out_of_a_draft(checked, drafted, array):
    for feature in ({"categories": ("x",)}, {"type": "number"}):
        with pytest.raises(TableError) as caught:
            checked(array, **feature)
        (fault,) = caught.value.faults
        assert fault.startswith("column 'column' holds ")
        assert "; " in fault
    reason = drafted(array)
    assert fault == f"column 'column' {reason.removeprefix('#   column: ')}"


def test_a_target_that_is_neither_is_refused_by_type(tmp_path):
    parquet.write_table(pa.table({"a": [1, 2], "denied": [MOMENT, MOMENT]}), tmp_path / "t.parquet")
    with pytest.raises(TableError, match="column 'denied' holds dates"):
        describe(tmp_path / "t.parquet", "denied", None)


NUMBERS = {
    "the largest of uint64": (pa.array([2**64 - 1, 2**63, None, 7] * 10, pa.uint64()), ("18446744073709551615", "7")),
    "the smallest of int64": (pa.array([-(2**63), 7] * 20, pa.int64()), ("-9223372036854775808", "7")),
    "decimals": (pa.array([decimal.Decimal("1.50"), decimal.Decimal("7.00")] * 20), ("1.50", "7.00")),
    "decimals with an exponent": (
        pa.array([decimal.Decimal("1E+3"), decimal.Decimal(7)] * 20, pa.decimal128(10, 0)),
        ("1000", "7"),
    ),
    "small decimals": (
        pa.array([decimal.Decimal("1E-9"), decimal.Decimal(7)] * 20, pa.decimal128(18, 9)),
        ("0.000000001",),
    ),
    "truth": (pa.array([True, False] * 20), ("true", "false")),
    "doubles": (pa.array([1.5, 7.0] * 20), ("1.5", "7.0")),
}


@pytest.mark.parametrize(("array", "texts"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_are_categories_have_the_digits_that_people_write(checked, array, texts):
    known = tuple({str(text): None for text in (*texts, "9223372036854775808", "7", "7.000000000")})
    found = checked(array, categories=known)
    assert set(texts) <= set(found) <= {*known, None}


@pytest.mark.parametrize(
    "array",
    [
        pa.array([2**64 - 1, 2**63, None, 7] * 10, pa.uint64()),
        pa.array([decimal.Decimal("1.50"), None] * 20),
        pa.array([decimal.Decimal("1.50"), None] * 20, pa.decimal256(40, 2)),
        pa.array([1.5, None] * 20, pa.float32()),
        pa.array([1, None] * 20, pa.uint8()),
    ],
    ids=["uint64", "decimal128", "decimal256", "float32", "uint8"],
)
def test_numbers_are_numbers_whatever_their_width(checked, array):
    expected = [None if value is None else float(value) for value in array.to_pylist()]
    assert checked(array, type="number") == expected
