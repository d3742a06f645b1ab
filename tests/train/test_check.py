"""The table against its dataset file: each fault is told with file, line and column."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as parquet_files

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from configs.model import ModelConfig, Split, Training
from tests.models.tables import hand_made
from train.check import check
from train.errors import TableError
from train.split import min_rows_per_class
from train.tables.csv_file import MAX_FIELD
from train.tables.reader import CHUNK_ROWS

FEATURES = (
    Feature(name="housing type", type="categorical", categories=("own", "rent", "NA", "none", "null")),
    Feature(name="age", type="integer", minimum=18, maximum=99),
    Feature(name="größe", type="number", nullable=True),
)
TARGET = Target(column="outcome", event="late")
HEADER = "housing type,age,größe,outcome"
DIFFERS = "it differs from 'own' in case"
NULL = "where it means a missing value, list it in null_values under source, and set nullable: true"
ROWS = ["own,40,1.5,late", "rent,50,,paid", "NA,60,-2e3,late", "none,70,7,paid", "null,18.0, 3 ,paid", "own,99,0,late"]


@pytest.fixture
def checked(tmp_path):
    """`checked(content)`: checks a table of this content, text or bytes; `suffix` names the format."""

    def run(content, suffix=".csv", least=2, target=TARGET, features=FEATURES):
        path = tmp_path / f"the table{suffix}"
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        dataset = Dataset(
            name="x",
            source=Source(path=str(path)),
            target=target,
            costs=Costs(missed_event=1, false_alarm=1),
            features=features,
        )
        return check(dataset, least)

    return run


@pytest.fixture
def refused(checked, tmp_path):
    """`refused(...)`: the faults of a table that `checked(...)` refuses; the message names the file."""

    def run(content, **more):
        with pytest.raises(TableError) as caught:
            checked(content, **more)
        assert str(caught.value).startswith(str(tmp_path / "the table"))
        return caught.value.faults

    return run


def table(*rows, header=HEADER, end="\n"):
    return end.join([header, *rows]) + end


def listed(found):
    """The columns of a table as lists, to compare."""
    return {name: list(values) for name, values in found.columns.items()}


def parquet(tmp_path, columns):
    path = tmp_path / "written.parquet"
    parquet_files.write_table(pa.table(columns), path)
    return path.read_bytes()


def test_a_good_table_is_read_and_words_for_nothing_stay_words(checked):
    found = checked(table(*ROWS))
    assert listed(found) == {
        "housing type": ["own", "rent", "NA", "none", "null", "own"],
        "age": [40, 50, 60, 70, 18, 99],
        "größe": [1.5, None, -2000, 7, 3, 0],
    }
    assert found.target.tolist() == [1, 0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    "content",
    [
        table(*ROWS, end="\r\n"),
        "\ufeff" + table(*ROWS),
        table(*ROWS)[:-1],
        table(*ROWS, "", "") + "\n",
        table(*(f'"{row.replace(",", chr(34) + "," + chr(34))}"' for row in ROWS)),
        table(*(f"{row},x" for row in ROWS), header=HEADER + ",not asked for"),
        "\n".join(",".join(reversed(line.split(","))) for line in [HEADER, *ROWS]),
    ],
    ids=["CRLF", "BOM", "no last newline", "empty lines", "quoted", "another column", "other order"],
)
def test_the_same_table_spelled_otherwise_is_the_same(checked, content):
    assert listed(checked(content)) == listed(checked(table(*ROWS)))


def test_parquet_and_csv_give_the_same_table(checked, tmp_path):
    from_csv = checked(table(*ROWS))
    columns = {
        **listed(from_csv),
        "age": [int(age) for age in from_csv.columns["age"]],
        "outcome": [row.rsplit(",")[-1] for row in ROWS],
    }
    from_parquet = checked(parquet(tmp_path, columns), suffix=".parquet")
    assert listed(from_parquet) == listed(from_csv)
    assert from_parquet.target.tolist() == from_csv.target.tolist()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_of_several_batches_is_read_whole_and_in_order(checked, tmp_path, suffix):
    rows = 2 * CHUNK_ROWS + 3
    columns = {
        "housing type": [("own", "rent", "NA")[row % 3] for row in range(rows)],
        "age": [18 + row % 80 for row in range(rows)],
        "größe": [None if row % 5 == 0 else row / 2 for row in range(rows)],
        "outcome": ["late" if row % 7 == 0 else "paid" for row in range(rows)],
    }
    lines = [
        ",".join("" if value is None else str(value) for value in row) for row in zip(*columns.values(), strict=True)
    ]
    found = checked(table(*lines) if suffix == ".csv" else parquet(tmp_path, columns), suffix=suffix)
    outcomes = columns.pop("outcome")
    assert listed(found) == columns
    assert found.target.tolist() == [outcome == "late" for outcome in outcomes]
    chosen = np.array([rows - 1, 0, CHUNK_ROWS])
    assert listed(found.rows(chosen)) == {name: [values[i] for i in chosen] for name, values in columns.items()}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_text_of_a_table_is_not_held(checked, tmp_path, suffix):
    rows, word = 10 * CHUNK_ROWS, "word" * 100
    features = (Feature(name="word", type="categorical", categories=(word,)), *FEATURES[1:])
    columns = {
        "word": [word] * rows,
        "age": [40] * rows,
        "größe": [1.5] * rows,
        "outcome": ["late", "paid"] * (rows // 2),
    }
    if suffix == ".csv":
        pair = f"{word},40,1.5,late\n{word},40,1.5,paid\n"
        content = ("word,age,größe,outcome\n" + pair * (rows // 2)).encode()
    else:
        content = parquet(tmp_path, columns)
    checked(table(*ROWS))  # what is imported late is no part of the table
    tracemalloc.start()
    try:
        found = checked(content, suffix=suffix, features=features)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.target) == rows
    assert peak_bytes < 0.6 * rows * len(word)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_fault_in_a_later_batch_is_told_with_its_own_line(refused, tmp_path, suffix):
    rows = CHUNK_ROWS + 10
    ages = [40] * (rows - 1) + [17]
    if suffix == ".csv":
        content, line = table(*(f"own,{age},1,late" for age in ages)), rows + 1
    else:
        columns = {"housing type": ["own"] * rows, "age": ages, "größe": [1.0] * rows, "outcome": ["late"] * rows}
        content, line = parquet(tmp_path, columns), rows
    (fault,) = refused(content, suffix=suffix)
    assert fault.startswith(f"line {line}, column 'age': ")


def test_the_table_made_by_hand_is_read_word_for_word(tmp_path):
    found = check(hand_made(tmp_path), 20)
    assert set(found.columns["code"]) == {"1", "2", "01", "1_000", "no", "null"}
    assert set(found.columns["都市"]) == {None, "東京", "são paulo", 'a "quoted", long name', "none"}
    assert 20 < found.target.sum() < 220


def test_a_missing_file_is_told_with_the_key_that_names_it(refused):
    assert refused(None) == ["no such file; set source.path in the dataset file"]


def test_a_missing_column_is_told_with_those_there(refused):
    assert refused(table("own,late", header="housing type,outcome")) == [
        "column 'age' is missing; the table has housing type, outcome",
        "column 'größe' is missing; the table has housing type, outcome",
    ]


def test_a_missing_target_is_told(refused):
    assert refused(table("own,40,1", header="housing type,age,größe"))[0].startswith("column 'outcome' is missing")


def test_a_doubled_column_is_told(refused):
    assert refused(table("own,40,1,late,41", header=HEADER + ",age")) == ["column 'age' appears 2 times; keep one"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("castle,40,1,late", "line 4, column 'housing type': 'castle' must be one of: own, rent, NA, none, null"),
        (
            "Own,40,1,late",
            f"line 4, column 'housing type': 'Own' must be one of: own, rent, NA, none, null; {DIFFERS}",
        ),
        (",40,1,late", "line 4, column 'housing type': '' must not be null"),
        ("own,17,1,late", "line 4, column 'age': '17' must be at least 18"),
        ("own,40.5,1,late", "line 4, column 'age': '40.5' must be a whole number"),
        ("own,forty,1,late", "line 4, column 'age': 'forty' must be a number"),
        ("own,4_0,1,late", "line 4, column 'age': '4_0' must be a number"),
        ("own,,1,late", "line 4, column 'age': '' must not be null"),
        (
            "own,40,nan,late",
            f"line 4, column 'größe': 'nan' must be a number; {NULL}",
        ),
        ("own,40,inf,late", "line 4, column 'größe': 'inf' must be a number"),
        ("own,40,1e400,late", "line 4, column 'größe': '1e400' must be finite"),
        ("own,40,1,", "line 4, column 'outcome': the outcome is missing"),
        ("own,40,1", "line 4: 3 cells where the header has 4"),
        (
            "own,40,1,late,",
            "line 4: 5 cells where the header has 4; the last are empty: delete the commas at the line's end",
        ),
        (
            "own, house,40,1,late",
            "line 4: 5 cells where the header has 4; a cell that holds ',' needs quotes around it",
        ),
    ],
)
def test_a_wrong_cell_is_told_with_line_and_column(refused, row, fault):
    assert refused(table(*ROWS[:2], row, *ROWS[2:])) == [fault]


def test_a_line_is_the_files_line_also_after_a_cell_of_two_lines(refused):
    rows = ['"own",40,1,late', '"own\nhouse",40,1,late', "own,3,1,late"]
    assert [fault.split(",")[0] for fault in refused(table(*rows))] == ["line 4", "line 5"]


def test_twenty_faults_are_kept_and_shown_and_all_are_counted(checked):
    with pytest.raises(TableError) as caught:
        checked(table(*["castle,40,1,late"] * 28, "own,40", "own,40,1,"))
    assert len(caught.value.faults) == 20
    assert caught.value.count == 30
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("… and 10 more")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (['"own,40,1,late', *ROWS], 2),
        ([*ROWS[:3], '"NA","60,1,late', *ROWS], 5),
        (['"own\nhouse",40,1,late', '"own\nhouse","40,1,late', *ROWS], 5),
        (["own,40,1,late", '"own,40,1,late', *ROWS, '"own",40,1,late'], 3),
        (["own,40,1,late", '"own" house,40,1,late', *ROWS], 3),
        (['"a ""quoted"" house",40,1,late', 'a "quoted" house,40,1,"late', *ROWS], 3),
        (["own,40,1,late", f'"{"x" * MAX_FIELD}', *ROWS], 3),
        (['own,40,1,"late'], 2),
    ],
    ids=["row", "second cell", "third line of a row", "another follows", "text behind", "doubled", "long", "last"],
)
def test_an_unclosed_quote_is_told_with_the_line_that_it_is_opened_on(refused, rows, line, end):
    (fault,) = refused(table(*(row.replace("\n", end) for row in rows), end=end))
    assert fault.startswith(f"line {line}: ")
    assert "fix the quotes" in fault


def test_an_unclosed_quote_in_the_header_is_told(refused):
    assert refused(table(*ROWS, header='"' + HEADER))[0].startswith("line 1: ")


@pytest.mark.parametrize("before", [0, 5000])
def test_a_byte_that_is_not_utf8_is_told_where_it_is(refused, before):
    content = table(*["own,40,1,late"] * before, "own,40,1,").encode()[:-1]
    (fault,) = refused(content + b"\xff\n")
    assert "not UTF-8" in fault
    assert f"byte {len(content)} " in fault or f"line {before + 2}" in fault


def test_another_encoding_is_told(refused):
    (fault,) = refused(table(*ROWS).encode("utf-16"))
    assert "UTF-8" in fault


def test_an_empty_file_and_a_header_alone_are_told(refused):
    assert refused("") == ["is empty; it needs a header line and rows"]
    assert refused(HEADER + "\n") == ["has a header and no rows"]


def test_an_event_that_never_happens_is_told_with_what_does(refused):
    (fault,) = refused(table(*ROWS), target=Target(column="outcome", event="bad"))
    assert fault == "column 'outcome' never takes the event 'bad', only 'late', 'paid'; fix target.event"


def test_one_class_only_is_told(refused):
    (fault,) = refused(table(*(row for row in ROWS if row.endswith("late"))))
    assert "always 'late'" in fault


def test_twelve_rows_are_too_few_for_the_folds(refused):
    rows = [row for row in ROWS for _ in range(2)]
    (fault,) = refused(table(*rows), least=min_rows_per_class(ModelConfig()))
    assert fault == "6 rows with the event and 6 without; at least 20 of each are needed"


def test_enough_rows_are_those_that_leave_every_fold_two(checked):
    assert min_rows_per_class(ModelConfig(training=Training(folds=2), split=Split(test=0.5))) == 8
    rows = [row for row in ROWS for _ in range(4)]
    assert len(checked(table(*rows), least=12).target) == 24


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a parquet file", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_parquet_file_that_is_none_is_told(refused, content):
    (fault,) = refused(content, suffix=".parquet")
    assert "not a readable Parquet file" in fault


@pytest.mark.parametrize(
    "values",
    [
        pa.array([b"forty"] * 6),
        pa.array([True, False] * 3),
        pa.array(["forty"] * 6),
        pa.array([40.5] * 6),
        pa.array([float("inf")] * 6),
        pa.array([None] * 6, pa.int64()),
    ],
    ids=["bytes", "truth", "text", "fractions", "infinities", "nothing"],
)
def test_parquet_values_of_another_kind_are_told_with_row_and_column(refused, tmp_path, values):
    columns = {"housing type": ["own"] * 6, "age": values, "größe": [1.0] * 6, "outcome": ["late", "paid"] * 3}
    faults = refused(parquet(tmp_path, columns), suffix=".parquet")
    assert len(faults) == 6
    assert "1, column 'age'" in faults[0]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_parquet_outcome_is_told(refused, tmp_path, missing):
    columns = {
        "housing type": ["own"] * 6,
        "age": [40] * 6,
        "größe": [1.0] * 6,
        "outcome": pa.array([1.0, 0.0, missing] * 2),
    }
    faults = refused(parquet(tmp_path, columns), suffix=".parquet", target=Target(column="outcome", event="1.0"))
    assert len(faults) == 2
    assert "outcome is missing" in faults[0]
