"""CSV as Excel, databases and other countries write it: read where it is said how, named where it is not, drafted."""

import gzip
import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from configs.dataset import Costs, Dataset, Source, Target, read_dataset
from configs.feature import Feature
from models.artifact import sha256
from train.check import check
from train.drafting.describe import describe
from train.errors import TableError
from train.version import data_sha256

ROWS = 60
INCOMES = [round(557.11 + row * 193.37, 2) for row in range(ROWS)]
CITIES = [("Köln", "São Paulo", "Łódź")[row // 2 % 3] for row in range(ROWS)]
TERMS = [row * 7 % 50 + 6 for row in range(ROWS)]
OUTCOMES = ["yes" if row % 3 == 0 else "no" for row in range(ROWS)]
FEATURES = (
    Feature(name="income", type="number", nullable=True),
    Feature(name="term", type="integer"),
    Feature(name="city", type="categorical", categories=("Köln", "São Paulo", "Łódź"), nullable=True),
)
HEADER = ("income", "term", "city", "denied")


def point(value):
    return f"{value:.2f}"


def comma(value):
    return point(value).replace(".", ",")


def grouped(value, thousands, decimal):
    return f"{value:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)


def lines(spell=point, separator=",", quote=False, cities=CITIES):
    rows = [HEADER] + [
        (spell(income), str(term), city, outcome)
        for income, term, city, outcome in zip(INCOMES, TERMS, cities, OUTCOMES, strict=True)
    ]
    mark = '"' if quote else ""
    return [separator.join(f"{mark}{cell}{mark}" for cell in row) for row in rows]


def text(*arguments, **more):
    return "\n".join(lines(*arguments, **more)) + "\n"


def dataset(path, **source):
    return Dataset(
        name="x",
        source=Source(path=str(path), **source),
        target=Target(column="denied", event="yes"),
        costs=Costs(missed_event=1, false_alarm=1),
        features=FEATURES,
    )


def faults(path, **source):
    with pytest.raises(TableError) as caught:
        check(dataset(path, **source), 2)
    return caught.value.faults


def is_the_table(found):
    assert list(found.columns["income"]) == INCOMES
    assert list(found.columns["term"]) == TERMS
    assert list(found.columns["city"]) == CITIES
    assert found.target.tolist() == [outcome == "yes" for outcome in OUTCOMES]


CENTRAL = [city.replace("Ł", "L").replace("ź", "z") for city in CITIES]
DIALECTS = {
    "semicolons and decimal commas": (text(comma, ";").encode(), {"separator": ";", "decimal": ","}),
    "tabs": (text(point, "\t").encode(), {"separator": "\t"}),
    "bars": (text(point, "|").encode(), {"separator": "|"}),
    "quoted decimal commas": (text(comma, quote=True).encode(), {"decimal": ","}),
    "thousands": (text(lambda v: grouped(v, ",", "."), quote=True).encode(), {"thousands": ","}),
    "German thousands": (
        text(lambda v: grouped(v, ".", ","), ";").encode(),
        {"separator": ";", "decimal": ",", "thousands": "."},
    ),
    "Swiss thousands": (text(lambda v: grouped(v, "'", ".")).encode(), {"thousands": "'"}),
    "French thousands": (
        text(lambda v: grouped(v, "\u202f", ","), ";").encode(),
        {"separator": ";", "decimal": ",", "thousands": "\u202f"},
    ),
    "UTF-16": (text().encode("utf-16"), {"encoding": "utf-16"}),
    "a byte order mark": (text().encode("utf-8-sig"), {}),
    "gzip": (gzip.compress(text().encode()), {}),
    "gzip and semicolons": (gzip.compress(text(comma, ";").encode()), {"separator": ";", "decimal": ","}),
    "Excel's line about the separator": (("sep=;\n" + text(comma, ";")).encode(), {"separator": ";", "decimal": ","}),
    "commas behind every line": ("".join(f"{line},,\n" for line in lines()).encode(), {}),
}


@pytest.mark.parametrize(("content", "source"), DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_gives_the_same_table_where_it_is_said_and_is_drafted_where_it_is_not(tmp_path, content, source):
    path = tmp_path / ("t.csv.gz" if content[:2] == b"\x1f\x8b" else "t.csv")
    path.write_bytes(content)
    is_the_table(check(dataset(path, **source), 2))
    draft = describe(path, "denied", "yes")
    (tmp_path / "t.yaml").write_text(draft)
    read = read_dataset(tmp_path / "t.yaml")
    assert read.source == Source(path=str(path), **source)
    assert [feature.type for feature in read.features] == [feature.type for feature in FEATURES]
    is_the_table(check(read, 2))
    assert read.name == "t"


def test_a_windows_code_page_is_drafted_with_a_word_to_look_at(tmp_path):
    (tmp_path / "t.csv").write_bytes(text(cities=CENTRAL).encode("cp1252"))
    draft = describe(tmp_path / "t.csv", "denied", "yes")
    (line,) = [line for line in draft.splitlines() if "encoding" in line]
    assert line.split("#")[0].strip() == "encoding: cp1252"
    assert "reads Köln: is that right?" in line
    (tmp_path / "t.yaml").write_text(draft)
    assert list(check(read_dataset(tmp_path / "t.yaml"), 2).columns["city"])[4:6] == ["Lódz", "Lódz"]


MISREAD = {
    "semicolons": (text(comma, ";").encode(), 'looks separated by semicolons; set separator: ";"'),
    "tabs": (text(point, "\t").encode(), r'looks separated by tabs; set separator: "\t"'),
    "decimal commas": (text(comma, quote=True).encode(), 'a number with a decimal comma: set decimal: ","'),
    "thousands": (text(lambda v: grouped(v + 1000, ",", "."), quote=True).encode(), 'set thousands: ","'),
    "currency": (text(lambda v: f"${v}").encode(), "an amount with $: write the number without it"),
    "currency behind": (text(lambda v: f"{v} €").encode(), "an amount with €: write the number without it"),
    "percent": (text(lambda v: f"{v}%").encode(), "a percentage: write the number without %"),
    "accountants' negatives": (text(lambda v: f"({v})").encode(), "a negative number as accountants write it"),
    "minus behind": (text(lambda v: f"{v}-").encode(), "a negative number as accountants write it"),
    "a title": (("Applications\n" + text()).encode(), "column 'income' is missing"),
    "spaces in the header": (
        text().replace(",term", ", term", 1).encode(),
        "column 'term' is missing; it differs from ' term'",
    ),
    "units": (text(lambda v: f"{v} months").encode(), "a number with the unit 'months': write the number alone"),
    "Windows code page": (
        text(cities=CENTRAL).encode("cp1252"),
        "line 2 is not UTF-8; save the table as UTF-8, or name",
    ),
    "UTF-16": (text().encode("utf-16"), "looks like UTF-16; set encoding: utf-16"),
    "a comma behind a line": (text().replace("no\n", "no,\n", 1).encode(), "the last are empty: delete the commas"),
    "half of a gzip file": (gzip.compress(text().encode())[:-20], "is not a complete gzip file"),
    "ZIP": (b"PK\x03\x04" + b"\0" * 40, "is a ZIP archive, not text; unpack it"),
    "Parquet by another name": (b"PAR1" + b"\0" * 40, "is a Parquet file, not text; name it .parquet"),
    "nothing for a number": (
        text(lambda v: "#N/A" if v < 600 else str(v)).encode(),
        "list it in null_values under source",
    ),
}


@pytest.mark.parametrize(("content", "said"), MISREAD.values(), ids=MISREAD)
def test_a_file_that_is_not_read_is_told_with_the_cause_and_the_way_out(tmp_path, content, said):
    (tmp_path / "t.csv").write_bytes(content)
    assert said in faults(tmp_path / "t.csv")[0]


def test_a_workbook_is_told_to_be_saved_as_csv(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04")
    assert faults(tmp_path / "t.xlsx") == ["is an Excel workbook, not a table; save its sheet as CSV (UTF-8)"]


def test_null_values_are_missing_as_text_and_as_numbers(tmp_path):
    incomes = [("\\N", "-999", "<NA>", "#N/A", "1.5")[row % 5] for row in range(ROWS)]
    content = ["income,term,city,denied"] + [f"{i},{t},,{o}" for i, t, o in zip(incomes, TERMS, OUTCOMES, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(content))
    nulls = ("\\N", "-999", "<NA>", "#N/A")
    assert set(check(dataset(tmp_path / "t.csv", null_values=nulls), 2).columns["income"]) == {None, 1.5}
    columns = {"income": [-999.0, 1.5] * 30, "term": TERMS, "city": ["\\N", "Köln"] * 30, "denied": OUTCOMES}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    found = check(dataset(tmp_path / "t.parquet", null_values=nulls), 2)
    assert list(found.columns["income"]) == [None, 1.5] * 30
    assert list(found.columns["city"]) == [None, "Köln"] * 30


@pytest.fixture
def parts(tmp_path):
    """`parts(suffix)`: a folder with the table in three parts and what lies beside them, and an empty last one."""

    def write(suffix):
        folder = tmp_path / "parts"
        folder.mkdir()
        head, *rows = lines()
        for number, (start, stop) in enumerate([(0, 20), (20, 41), (41, ROWS), (ROWS, ROWS)]):
            content = "\n".join([head, *rows[start:stop]]) + "\n"
            path = folder / f"part-{number:05}{suffix}"
            if suffix == ".parquet":
                columns = {"income": INCOMES, "term": TERMS, "city": CITIES, "denied": OUTCOMES}
                parquet.write_table(pa.table({k: v[start:stop] for k, v in columns.items()}, PARTS), path)
            else:
                path.write_bytes(gzip.compress(content.encode()) if suffix == ".csv.gz" else content.encode())
        (folder / "_SUCCESS").touch()
        (folder / ".hidden.csv").write_text("no table")
        (folder / "README").write_text("no table")
        return folder

    return write


PARTS = pa.schema([("income", pa.float64()), ("term", pa.int64()), ("city", pa.string()), ("denied", pa.string())])


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_folder_of_parts_and_a_pattern_are_one_table(tmp_path, parts, suffix):
    folder = parts(suffix)
    for path in (folder, folder / f"*{suffix}", tmp_path / "**" / f"part-*{suffix}"):
        found = check(dataset(path), 2)
        is_the_table(found)
        assert found.lines.tolist() == list(range(1, ROWS + 1))
        (tmp_path / "t.yaml").write_text(describe(path, "denied", "yes"))
        is_the_table(check(read_dataset(tmp_path / "t.yaml"), 2))
    assert read_dataset(tmp_path / "t.yaml").source.path == str(path)


def test_the_digest_of_parts_follows_their_content_and_that_of_a_file_is_the_files(tmp_path, parts):
    folder = parts(".csv")
    before = data_sha256(dataset(folder))
    assert before == data_sha256(dataset(folder))
    part = folder / "part-00001.csv"
    assert data_sha256(dataset(part)) == sha256(part.read_bytes())
    part.write_text(part.read_text().replace("Köln", "Łódź", 1))
    assert data_sha256(dataset(folder)) != before


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_fault_in_a_part_is_told_with_the_part_and_its_own_line(parts, suffix):
    folder = parts(suffix)
    part = folder / f"part-00001{suffix}"
    if suffix == ".csv":
        part.write_text(part.read_text().replace("Köln", "Koeln", 1))
        row = CITIES[20:41].index("Köln") + 2
    else:
        table = parquet.read_table(part)
        row = CITIES[20:41].index("Köln") + 1
        cities = table["city"].to_pylist()
        cities[row - 1] = "Koeln"
        parquet.write_table(table.set_column(2, "city", pa.array(cities)), part)
    assert faults(folder) == [
        f"part-00001{suffix}, line {row}, column 'city': 'Koeln' must be one of: Köln, São Paulo, Łódź"
    ]


def test_a_folder_or_pattern_without_a_table_is_told(tmp_path, parts):
    (tmp_path / "empty").mkdir()
    assert faults(tmp_path / "empty")[0].startswith("is a folder without .csv, .csv.gz and .parquet files")
    assert faults(tmp_path / "*.csv") == ["no file has a name like this; set source.path in the dataset file"]
    folder = parts(".csv")
    (folder / "more.parquet").write_bytes(b"")
    assert faults(folder)[0].startswith("has both Parquet and text files")


@pytest.mark.parametrize("path", ["split", "split/*/*.csv", "split/year=*/part.csv", "**/part.csv"])
def test_folders_that_hold_a_column_in_their_names_are_refused_however_they_are_named(tmp_path, path):
    for year in (2024, 2025):
        folder = tmp_path / f"split/year={year}"
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text(text())
    assert "hold a column in their names (year=2024)" in faults(tmp_path / path)[0]
    is_the_table(check(dataset(folder / "*.csv"), 2))  # one of them, by its name, is a table like any other


def test_every_other_separator_survives_quotes_and_line_feeds_in_cells(tmp_path):
    for separator in (";", "|", "\t"):
        file = io.StringIO()
        cells = [f'"a{separator}b, ""c""\nd"', '"e"']
        file.write(separator.join(["word", "denied"]) + "\n")
        for row in range(20):
            file.write(separator.join([cells[row // 2 % 2], OUTCOMES[row]]) + "\n")
        (tmp_path / "t.csv").write_text(file.getvalue())
        (tmp_path / "t.yaml").write_text(describe(tmp_path / "t.csv", "denied", "yes"))
        read = read_dataset(tmp_path / "t.yaml")
        assert read.source.separator == separator
        assert set(read.features[0].categories) == {f'a{separator}b, "c"\nd', "e"}
        (tmp_path / "t.csv").write_text(file.getvalue() + f'"open{separator}no\n')
        with pytest.raises(TableError, match="line 32: a quoted cell that starts here does not end"):
            check(read, 2)
