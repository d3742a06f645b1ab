"""Which files a table has, how they are cut, and what a part reads: each record once, wherever the cuts fall."""

import csv
import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.errors import BatchError
from batch.job import Job
from batch.tables import csv_file, csv_scan
from batch.tables.files import files_of
from batch.tables.planning import Columns, columns_of, parts_of
from batch.tables.reading import batches
from configs.dataset import Dataset, Source, Target
from configs.feature import Feature
from configs.policy import Costs
from models.schema import Schema


def schema_of(**source):
    """A schema of a text and a number."""
    features = (
        Feature(name="a", type="categorical", categories=("x",)),
        Feature(name="b", type="number", nullable=True),
    )
    return Schema(
        Dataset(
            name="d",
            source=Source(path="t.csv", **source),
            target=Target(column="y", event="1"),
            costs=Costs(missed_event=1, false_alarm=1),
            features=features,
        )
    )


def read(table, schema, part_rows):
    """The parts of a table, its rows by number, and what is damaged."""
    files = files_of(str(table))
    columns = columns_of(files, schema)
    parts = parts_of(files, columns, schema, part_rows)
    job = job_of(columns)
    rows, damaged = {}, {}
    for part in parts:
        following = part.first_row
        for one in batches(job, part, schema):
            within = range(following - part.first_row, following - part.first_row + one.batch.num_rows)
            following += one.batch.num_rows + len(one.damaged)
            for number, cells in zip(one.numbers or within, one.batch.to_pylist(), strict=True):
                assert number + part.first_row not in rows
                rows[number + part.first_row] = cells
            damaged |= {number + part.first_row: problem for number, problem in one.damaged}
    return parts, rows, damaged


def job_of(columns: Columns) -> Job:
    """A job that reads these columns."""
    names = {"model": "", "artifact": "", "digest": "", "out": "", "run": "", "started_ms": 0}
    return Job(kind=columns.kind, columns=columns.read, header=columns.header, **names)


CELLS = ["plain", "", 'a "quoted", cell', "two\nlines", "two\r\nlines", " x ", "é", "NA", '"', ",", "7"]


def written(separator, end, encoding, mark=b""):
    """A CSV of all pairs of odd cells, as Python writes it, with blank lines; and its rows."""
    rows = [[one, other] for one in CELLS for other in CELLS]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=end)
    writer.writerow(["b", "not asked for", "a"])
    for index, (one, other) in enumerate(rows):
        writer.writerow([one, index, other])
        text.write(end if index % 7 == 0 else "")
    return mark + text.getvalue().encode(encoding), rows


@pytest.mark.parametrize("part_rows", [1, 5, 1000])
@pytest.mark.parametrize(
    ("separator", "end", "encoding", "mark"),
    [(",", "\n", "utf-8", b""), (";", "\r\n", "utf-8", b"\xef\xbb\xbf"), ("\t", "\n", "cp1252", b"")],
)
def test_a_csv_is_read_alike_however_it_is_cut(tmp_path, monkeypatch, part_rows, separator, end, encoding, mark):
    content, rows = written(separator, end, encoding, mark)
    (tmp_path / "t.csv").write_bytes(content)
    schema = schema_of(separator=separator, encoding=encoding, null_values=("NA",))
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 64)  # so that blocks end within cells, quotes and line ends too
    parts, found, damaged = read(tmp_path / "t.csv", schema, part_rows)
    assert len(parts) == -(-len(rows) // part_rows)
    assert damaged == {}
    missing = ("", "NA")
    assert [found[number] for number in range(len(rows))] == [
        {"a": None if other in missing else other, "b": None if one in missing else one} for one, other in rows
    ]


@pytest.mark.parametrize(("name", "encoding"), [("t.csv.gz", "utf-8"), ("t.csv", "utf-16")])
def test_what_cannot_be_cut_is_one_part(tmp_path, name, encoding):
    content, rows = written(",", "\n", encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    (part,), found, _ = read(tmp_path / name, schema_of(encoding=encoding), 5)
    assert part.rows == len(found) == len(rows)
    assert found[len(rows) - 1]["a"] == rows[-1][1]


def test_a_record_of_another_length_is_told_with_its_number(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\nx,1\n\nx,1,2\nx,2\nx\nx,3\n")
    _, rows, damaged = read(tmp_path / "t.csv", schema_of(), 3)
    assert damaged == {1: "3 cells where the header has 2", 3: "1 cells where the header has 2"}
    assert {number: row["b"] for number, row in rows.items()} == {0: "1", 2: "2", 4: "3"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\nx,"1\n2,3\n', "t.csv: a quoted cell that starts after record 0 does not end; fix the quotes there"),
        ('a,b\nx,1\nx,5" pipe\n', "a quote within a cell that does not begin with one, near record 1"),
        ("", "t.csv: is empty; it needs a header line and rows"),
        ("b,c\n1,2\n", "t.csv: column 'a' missing; the table has b, c"),
        ("a;b\nx;1\n", "is it separated by ',', as the dataset file of the model says?"),
        ("a,b,a\nx,1,x\n", "t.csv: column 'a' appears 2 times; keep one"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_at_the_start(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BatchError) as caught:
        read(tmp_path / "t.csv", schema_of(), 5)
    assert message in str(caught.value)


@pytest.mark.parametrize("part_rows", [1, 7, 100, 1000])
def test_parquet_is_cut_by_row_groups_and_a_large_group_too(tmp_path, monkeypatch, part_rows):
    table = pa.table({"b": [float(number) for number in range(250)], "a": ["x"] * 250})
    pq.write_table(table.slice(0, 100), tmp_path / "1.parquet", row_group_size=10)
    pq.write_table(table.slice(100, 0), tmp_path / "2.parquet")
    pq.write_table(table.slice(100), tmp_path / "3.parquet", row_group_size=150)
    (tmp_path / "_SUCCESS").write_bytes(b"")
    parts, rows, _ = read(tmp_path, schema_of(), part_rows)
    assert [rows[number]["b"] for number in range(250)] == [float(number) for number in range(250)]
    assert len(rows) == sum(part.rows for part in parts) == 250
    assert max(part.rows for part in parts) <= max(part_rows, 10)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([0], pa.date32()), "holds dates or times (date32[day])"),
        (pa.array([[1]]), "neither text nor a number; store each of its parts as a column"),
    ],
)
def test_a_column_of_no_use_is_told_at_the_start(tmp_path, column, message):
    pq.write_table(pa.table({"a": ["x"], "b": column}), tmp_path / "t.parquet")
    with pytest.raises(BatchError) as caught:
        read(tmp_path / "t.parquet", schema_of(), 5)
    assert "t.parquet: column 'b'" in str(caught.value)
    assert message in str(caught.value)


def test_a_table_is_a_file_a_folder_or_a_pattern(tmp_path):
    for name in ("b/2.csv", "a/1.csv", "a/.hidden.csv", "a/notes.md", "b/_old/3.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a,b\n")

    def names(table):
        return [file.path.removeprefix(f"{tmp_path}/") for file in files_of(str(table))]

    assert names(tmp_path) == ["a/1.csv", "b/2.csv"]
    assert names(tmp_path / "*/?.csv") == ["a/1.csv", "b/2.csv"]
    assert names(tmp_path / "b/**/*.csv") == ["b/2.csv", "b/_old/3.csv"]
    assert names(tmp_path / "a/1.csv") == ["a/1.csv"]
    (tmp_path / "a/x.parquet").write_bytes(b"")
    for table, problem in [
        (tmp_path, "both Parquet and text"),
        (tmp_path / "c", "no such"),
        (tmp_path / "c*", "no CSV"),
    ]:
        with pytest.raises(BatchError, match=problem):
            files_of(str(table))


def test_a_part_is_cut_by_its_bytes_too(monkeypatch):
    monkeypatch.setattr(csv_scan, "MOST_PART_BYTES", 10)
    found = list(csv_scan.pieces(iter([b"1234,\n" * 5, b"12", b"34,\n"]), 0, ",", 1000, "t.csv"))
    assert [(piece.start, piece.stop, piece.rows) for piece in found] == [(0, 12, 2), (12, 24, 2), (24, 36, 2)]
