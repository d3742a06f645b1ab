"""The table against its dataset file: each fault is told with file, line and column."""

import pyarrow as pa
import pytest
from pyarrow import parquet as parquet_files

from configs.dataset import Costs, Dataset, Feature, Source, Target
from configs.model import ModelConfig, Split, Training
from tests.models.tables import hand_made
from train.check import check
from train.errors import TableError
from train.split import least_of_each

FEATURES = (
    Feature(name="housing type", type="categorical", categories=("own", "rent", "NA", "none", "null")),
    Feature(name="age", type="integer", minimum=18, maximum=99),
    Feature(name="größe", type="number", nullable=True),
)
TARGET = Target(column="outcome", event="late")
HEADER = "housing type,age,größe,outcome"
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


def parquet(tmp_path, columns):
    path = tmp_path / "written.parquet"
    parquet_files.write_table(pa.table(columns), path)
    return path.read_bytes()


def test_a_good_table_is_read_and_words_for_nothing_stay_words(checked):
    found = checked(table(*ROWS))
    assert found.columns["housing type"] == ["own", "rent", "NA", "none", "null", "own"]
    assert found.columns["age"] == [40, 50, 60, 70, 18, 99]
    assert found.columns["größe"] == [1.5, None, -2000, 7, 3, 0]
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
    assert checked(content).columns == checked(table(*ROWS)).columns


def test_parquet_and_csv_give_the_same_table(checked, tmp_path):
    from_csv = checked(table(*ROWS))
    columns = {
        **from_csv.columns,
        "age": [int(age) for age in from_csv.columns["age"]],
        "outcome": [row.rsplit(",")[-1] for row in ROWS],
    }
    from_parquet = checked(parquet(tmp_path, columns), suffix=".parquet")
    assert from_parquet.columns == from_csv.columns
    assert from_parquet.target.tolist() == from_csv.target.tolist()


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
    assert refused(table("own,40,1,late,41", header=HEADER + ",age")) == ["column 'age' stands 2 times; keep one"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("castle,40,1,late", "line 4, column 'housing type': 'castle' must be one of: own, rent, NA, none, null"),
        ("Own,40,1,late", "line 4, column 'housing type': 'Own' must be one of: own, rent, NA, none, null"),
        (",40,1,late", "line 4, column 'housing type': '' must not be null"),
        ("own,17,1,late", "line 4, column 'age': '17' must be at least 18"),
        ("own,40.5,1,late", "line 4, column 'age': '40.5' must be a whole number"),
        ("own,forty,1,late", "line 4, column 'age': 'forty' must be a number"),
        ("own,4_0,1,late", "line 4, column 'age': '4_0' must be a number"),
        ("own,,1,late", "line 4, column 'age': '' must not be null"),
        ("own,40,nan,late", "line 4, column 'größe': 'nan' must be a number"),
        ("own,40,inf,late", "line 4, column 'größe': 'inf' must be a number"),
        ("own,40,1e400,late", "line 4, column 'größe': '1e400' must be finite"),
        ("own,40,1,", "line 4, column 'outcome': the outcome is missing"),
        ("own,40,1", "line 4: 3 cells where the header has 4"),
        ("own,40,1,late,", "line 4: 5 cells where the header has 4"),
    ],
)
def test_a_wrong_cell_is_told_with_line_and_column(refused, row, fault):
    assert refused(table(*ROWS[:2], row, *ROWS[2:])) == [fault]


def test_a_line_is_the_files_line_also_after_a_cell_of_two_lines(refused):
    rows = ['"own",40,1,late', '"own\nhouse",40,1,late', "own,3,1,late"]
    assert [fault.split(",")[0] for fault in refused(table(*rows))] == ["line 4", "line 5"]


def test_every_fault_is_kept_and_twenty_are_shown(checked):
    with pytest.raises(TableError) as caught:
        checked(table(*["castle,40,1,late"] * 30))
    assert len(caught.value.faults) == 30
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("… and 10 more")


def test_an_unclosed_quote_is_told_with_a_line(refused):
    (fault,) = refused(table('"own,40,1,late', *ROWS))
    assert fault.startswith("line ")
    assert "mend the quotes" in fault


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
    assert fault == "column 'outcome' never takes the event 'bad', only 'late', 'paid'; mend target.event"


def test_one_class_only_is_told(refused):
    (fault,) = refused(table(*(row for row in ROWS if row.endswith("late"))))
    assert "always 'late'" in fault


def test_twelve_rows_are_too_few_for_the_folds(refused):
    rows = [row for row in ROWS for _ in range(2)]
    (fault,) = refused(table(*rows), least=least_of_each(ModelConfig()))
    assert fault == "6 rows with the event and 6 without; at least 20 of each are needed"


def test_enough_rows_are_those_that_leave_every_fold_two(checked):
    assert least_of_each(ModelConfig(training=Training(folds=2), split=Split(test=0.5))) == 8
    rows = [row for row in ROWS for _ in range(4)]
    assert len(checked(table(*rows), least=12).target) == 24


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a parquet file", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_parquet_file_that_is_none_is_told(refused, content):
    (fault,) = refused(content, suffix=".parquet")
    assert "not a readable Parquet file" in fault


@pytest.mark.parametrize(
    "values",
    [
        pa.array([18_000] * 6, pa.date32()),
        pa.array([[40]] * 6),
        pa.array([b"forty"] * 6),
        pa.array([True, False] * 3),
        pa.array(["forty"] * 6),
        pa.array([40.5] * 6),
        pa.array([float("inf")] * 6),
        pa.array([None] * 6, pa.int64()),
    ],
    ids=["dates", "lists", "bytes", "truth", "text", "fractions", "infinities", "nothing"],
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
