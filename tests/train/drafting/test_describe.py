"""The drafted dataset file: whatever the table, it reads back, and the table passes its checks unchanged."""

import csv
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as parquet_files
from sklearn.datasets import load_breast_cancer

from configs.dataset import Audit, read_dataset
from models.schema import Schema
from tests.conftest import ROOT
from train.check import check
from train.drafting.describe import describe
from train.drafting.heading import dataset_name
from train.drafting.yaml_text import quoted
from train.errors import TableError

EACH = settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
ODD = [
    *("yes", "no", "on", "null", "~", "true", "1e3", "0o7", "0x1f", "1_000", ".5", ".inf", "-", "?", "NA", "", "007"),
    *("a: b", "a #b", "# x", " led", "trailed ", " ", "'", '"', 'say "no"', "[x]", "{x: y}", "a, b", "- x", "&a", "*a"),
    *("%x", "@x", "`x", "|", ">", "!x", "東京", "são paulo", "\u00a0", "\ufeff", "\u2028", "\x85", "two\nlines", "\t"),
    *("\\", "\\n", "null ", "2024-01-31", "12:30:45", "=", "<<", "🙂", "x" * 201, "a\u0301", "0_to_200", "e", "\x7f"),
]


def write_csv(path, columns):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def write_parquet(path, columns):
    parquet_files.write_table(pa.table(columns), path)
    return path


def drafted(path, target, event):
    """The draft and the dataset that is read back from it; the table has passed the checks that training makes."""
    text = describe(path, target, event)
    file = path.with_suffix(".yaml")
    file.write_text(text, encoding="utf-8")
    dataset = read_dataset(file)
    assert (dataset.source.path, dataset.target.column, dataset.target.event) == (str(path), target, event)
    assert dataset.name == dataset_name(path.stem)
    table = check(dataset, 2)
    Schema(dataset)
    assert len(table.target) > 0
    return text, dataset


def features(dataset):
    return {feature.name: feature for feature in dataset.features}


def outcomes(rows):
    return ["late" if row % 3 == 0 else "paid" for row in range(rows)]


@pytest.fixture
def described(tmp_path):
    """`described(column)`: the line or the feature that a column of 60 rows, or of `rows`, gets in the draft."""

    def run(cells, name="column", rows=60):
        cells = [cells(row) for row in range(rows)]
        columns = {"kept": [f"k{row % 4}" for row in range(rows)], name: cells, "outcome": outcomes(rows)}
        text, dataset = drafted(write_csv(tmp_path / "table.csv", columns), "outcome", "late")
        left = [line for line in text.splitlines() if line.startswith(f"#   {quoted(name)}: ")]
        assert len(left) + (name in features(dataset)) == 1
        return left[0].split(": ", 1)[1] if left else (features(dataset)[name], text)

    return run


def test_the_draft_says_what_was_done_and_what_to_do():
    path = ROOT / "data/german_credit.csv"
    text = describe(path, "credit_risk", "bad")
    assert "Left out" not in text
    assert "1 / (1 + 5) = 0.167" in text
    assert "make serve DATASET=configs/datasets/german_credit.yaml" in text


def test_the_draft_of_german_credit_agrees_with_the_file_written_by_hand(tmp_path):
    path = tmp_path / "german_credit.csv"
    path.write_bytes((ROOT / "data/german_credit.csv").read_bytes())
    _, draft = drafted(path, "credit_risk", "bad")
    written = read_dataset(ROOT / "configs/datasets/german_credit.yaml")
    assert draft.name == written.name
    assert list(features(draft)) == list(features(written))
    assert draft.threshold == written.threshold
    assert [f.name for f in draft.features if f.protected] == [f.name for f in written.features if f.protected]
    assert [f.name for f in draft.features if f.type != features(written)[f.name].type] == ["dependents"]
    assert [audit.column for audit in draft.audit] == [audit.column for audit in written.audit]
    assert draft.audit[1].edges == written.audit[1].edges
    amount = features(draft)["credit_amount"]
    assert (amount.type, amount.minimum, amount.maximum) == ("integer", 0, 30000)


@pytest.mark.parametrize("write", [write_csv, write_parquet], ids=["CSV", "Parquet"])
def test_breast_cancer_is_thirty_numbers_in_either_format(tmp_path, write):
    bunch = load_breast_cancer()
    columns = {str(name): bunch.data[:, i].tolist() for i, name in enumerate(bunch.feature_names)}
    columns["target"] = [str(bunch.target_names[value]) for value in bunch.target]
    path = write(tmp_path / f"Breast Cancer (1995).{'csv' if write is write_csv else 'parquet'}", columns)
    text, dataset = drafted(path, "target", "malignant")
    assert dataset.name == "breast_cancer_1995"
    assert list(features(dataset)) == list(columns)[:-1]
    assert {feature.type for feature in dataset.features} == {"number"}
    radius = features(dataset)["mean radius"]
    assert (radius.minimum, radius.maximum) == (0, 40)
    assert "data 6.981 to 28.11" in text


def test_odd_names_and_values_come_back_as_they_stand_in_the_table(tmp_path):
    rows = 4 * len(ODD)
    columns = {name: [ODD[(row + shift) % len(ODD)][:200] for row in range(rows)] for shift, name in enumerate(ODD)}
    columns["paid back?"] = ["no" if row % 7 in (0, 3) else "null" for row in range(rows)]
    _, dataset = drafted(write_csv(tmp_path / "no: #1.csv", columns), "paid back?", "no")
    assert list(features(dataset)) == [name for name in ODD if name and not set(name) & set('"\\\n\t')]
    for feature in dataset.features:
        assert set(feature.categories) == {value[:200] for value in ODD if value}
        assert feature.nullable


def test_every_reader_of_yaml_takes_a_quoted_text_for_text():
    import yaml

    for text in filter(None, ODD):
        assert yaml.safe_load(f"{{{quoted(text)}: [{quoted(text)}]}}") == {text: [text]}
        assert quoted(text).isprintable()


@pytest.mark.slow
@EACH
@given(data=st.data())
def test_any_table_gives_a_draft_that_its_table_passes(tmp_path, data):
    rows = data.draw(st.integers(4, 40))
    target = [True, True, False, False, *data.draw(st.lists(st.booleans(), min_size=rows - 4, max_size=rows - 4))]
    turns = {True: 0, False: 0}
    kept = []
    for outcome in target:  # both values with both outcomes, so that this column is never left out
        kept.append(turns[outcome] % 2)
        turns[outcome] += 1
    columns = {"kept": ["xy"[value] for value in kept]}
    as_parquet = data.draw(st.booleans())
    words = st.sampled_from([*ODD, "1", "2", "3", "1.0", "-7", "1e400", "99999999999999999999"]) | st.text(max_size=5)
    kinds = [
        words.filter(lambda text: "\0" not in text),
        st.integers(-5, 5).map(str),
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.sampled_from(["x", "y", ""]),
        st.sampled_from(["1", "1.0", " 1", ""]),
    ]
    if as_parquet:
        kinds += [
            st.none() | st.floats(),
            st.none() | st.floats(0, 3),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.integers(0, 2),
            st.none() | st.booleans(),
            st.none() | st.decimals(-100, 100, places=2),
            st.none() | st.dates(date(1990, 1, 1), date(2030, 1, 1)),
            st.lists(st.integers(0, 2), max_size=1),
        ]
    names = data.draw(st.lists(st.sampled_from([*ODD, "age", "sex", "id"]) | st.text(max_size=4), max_size=4))
    for name in names:
        if name not in ("kept", "outcome") and "\0" not in name:
            cells = st.lists(data.draw(st.sampled_from(kinds)), min_size=rows, max_size=rows)
            columns[name] = data.draw(cells)
    columns["outcome"] = [str(value) for value in target]
    path = tmp_path / ("table.parquet" if as_parquet else "table.csv")
    text, dataset = drafted((write_parquet if as_parquet else write_csv)(path, columns), "outcome", "True")
    left = {name for name in columns if name not in (*features(dataset), "outcome")}
    assert {name for name in columns if f"\n#   {quoted(name)}: " in text} == left
    assert list(features(dataset)) == [name for name in columns if name in features(dataset)]
    assert features(dataset)["kept"].categories == ("x", "y")


TYPES = {
    "whole numbers": (lambda row: row * 37 % 50, "integer", "data 0 to 49"),
    "a fraction in the last row": (lambda row: row % 50 if row < 59 else 0.5, "number", "data 0 to 49"),
    "whole but spelled with a point": (lambda row: f"{row % 50}.0", "integer", "all whole"),
    "a share": (lambda row: row % 50 / 49, "number", "maximum: 1  "),
    "a few in a row": (lambda row: row % 5 + 1, "integer", "not widened"),
    "two numbers": (lambda row: row % 2, "categorical", 'categories: ["0", "1"]'),
    "two fractions": (lambda row: row % 2 / 2, "number", "data 0 to 0.5"),
    "zeros in front": (lambda row: f"{row % 7:03}", "categorical", "would lose the leading zeros"),
    "words": (lambda row: ["yes", "no", "?"][row % 3 % 2], "categorical", 'categories: ["no", "yes"]'),
    "a word for nothing": (lambda row: "ab?"[row // 2 % 3], "categorical", "does '?' mean missing?"),
    "gaps": (lambda row: ["", 5, 70][row // 2 % 3], "categorical", "20 of 60 cells are empty"),
    "one word or nothing": (lambda row: ["", "x"][row % 2], "categorical", "categories: [x]"),
    "beyond whole doubles": (lambda row: row % 7 * 10**17, "number", "data 0 to 6e+17"),
    "different amounts": (lambda row: row * row * 977 + row % 2, "integer", "every value differs"),
}


@pytest.mark.parametrize(("cells", "kind", "said"), TYPES.values(), ids=TYPES)
def test_a_column_gets_the_type_of_its_values(described, cells, kind, said):
    feature, text = described(cells)
    assert feature.type == kind
    assert said in text[text.index("name: column") :]
    assert feature.nullable == ("" in [cells(row) for row in range(60)])


LEFT_OUT = {
    "row number": (lambda row: row, "column", "all distinct"),
    "big row number": (lambda row: 7_000_000 + row, "column", "all distinct"),
    "identifier by name": (lambda row: row * row * 977, "Customer ID", "an identifier by its name"),
    "names": (lambda row: f"Ms {row}", "column", "every value differs: an identifier, a name or free text"),
    "nearly unique": (lambda row: f"Ms {min(row, 56)}", "column", "57 values in 60 rows: an identifier"),
    "constant": (lambda row: "x", "column", "the same value in every row"),
    "constant number": (lambda row: ["1", "1.0"][row % 2], "column", "the same value in every row"),
    "empty": (lambda row: "", "column", "empty in every row"),
    "dates": (lambda row: f"2024-01-{row % 28 + 1:02}", "column", "dates; replace them by a duration"),
    "months": (lambda row: ["Dec-2015", "Jan-2016"][row // 3 % 2], "column", "dates; replace them by a duration"),
    "compact dates": (lambda row: 20240101 + row % 28, "column", "dates; replace them by a duration"),
    "German dates": (lambda row: f"{row % 28 + 1}.1.2024", "column", "dates; replace them by a duration"),
    "nearly a number": (lambda row: row % 50 if row else "N/A", "column", "numbers except 'N/A'"),
    "infinite": (lambda row: ["1e400", "2", "3"][row // 2 % 3], "column", "beyond 3.4e+38"),
    "long": (lambda row: str(row // 2 % 3) + "x" * 200, "column", "over 200 characters"),
    "one to one with the target": (lambda row: "ab"[row % 3 == 0], "column", "LOOKS LIKE A LEAK: it has values"),
    "finer than the target": (lambda row: row % 6, "column", "LOOKS LIKE A LEAK: it has values"),
    "cut by the target": (lambda row: row if row % 3 else -row - 1, "column", "LEAK: it is below 1 exactly"),
    "cut from above": (lambda row: -row if row % 3 else row + 1, "column", "LEAK: it is above -1 exactly"),
    "filled after the event": (lambda row: "" if row % 3 else row % 4, "column", "LEAK: it is empty exactly where"),
    "named like the target": (lambda row: "ab"[row // 2 % 2], "Outcome (old)", "resembles the target's"),
    "id of the service": (lambda row: "ab"[row // 2 % 2], "application_id", "reserved by the service"),
    "answer of the service": (lambda row: row % 50, "probability", "reserved by the service"),
    "no name": (lambda row: "ab"[row // 2 % 2], "", "has no name"),
    "a name that JSON escapes": (lambda row: "ab"[row // 2 % 2], 'the "rate"', "a quotation mark"),
}


@pytest.mark.parametrize(("cells", "name", "reason"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_column_that_is_left_out_is_told_with_the_reason(described, cells, name, reason):
    said = described(cells, name)
    assert isinstance(said, str)
    assert reason in said


def test_a_value_in_nearly_every_row_is_near_constant_from_995_in_1000(described):
    assert "the others are too few" in described(lambda row: "ab"[row < 4], rows=1000)
    assert described(lambda row: "ab"[row < 5], rows=1000)[0].categories == ("a", "b")


def test_a_hundred_categories_are_taken_in_over_several_lines_and_one_more_is_too_many(described):
    feature, text = described(lambda row: f"town {row % 100 or 1}" if row else "rare, once", rows=990)
    assert len(feature.categories) == 100
    assert "rare, once" in feature.categories
    assert max(len(line) for line in text[text.index("name: column") :].splitlines()) <= 120
    assert "101 different texts, over 100; group them" in described(lambda row: f"town {row % 101}", rows=990)


PROTECTED = ("Age", "applicantAge", "sex", "Gender identity", "RACE", "ethnicity", "national_origin", "foreign")
PROTECTED += ("religion", "Marital Status", "disability", "pregnant", "date of birth", "nationality", "skin")


@pytest.mark.parametrize("name", PROTECTED)
def test_a_column_that_sounds_protected_is_kept_from_the_model_and_audited(described, name):
    feature, text = described(lambda row: "abc"[row // 2 % 3], name)
    assert feature.protected
    assert "review: because of " in text
    assert f"  - column: {name}\n    groups:\n      a: [a]\n" in text


@pytest.mark.parametrize("name", ["mileage", "average", "account age", "car_color", "sextant", "trace", "stage"])
def test_a_column_that_only_holds_such_letters_is_not(described, name):
    feature, text = described(lambda row: "abc"[row // 2 % 3], name)
    assert not feature.protected
    assert "audit:" not in text


@pytest.mark.parametrize(
    ("name", "cells", "edge"),
    [
        ("age", lambda row: 18 + row % 50, 25),
        ("age", lambda row: 30 + row % 4, 32),
        ("birth year", lambda row: 1950 + row % 50, 1970),
    ],
)
def test_protected_numbers_are_audited_at_a_cut_with_rows_on_both_sides(tmp_path, name, cells, edge):
    values = [cells(row) for row in range(60)]
    columns = {"kept": [f"k{row % 4}" for row in range(60)], name: values, "outcome": outcomes(60)}
    text, dataset = drafted(write_csv(tmp_path / "table.csv", columns), "outcome", "late")
    assert dataset.audit == (Audit(column=name, edges=(edge,)),)
    assert f"under {edge}: {sum(value < edge for value in values)} rows" in text


def test_a_rare_protected_group_is_kept_and_one_of_many_values_is_left_to_a_person(described):
    assert described(lambda row: "ab"[row < 1], "disability", rows=1000)[0].protected
    feature, text = described(lambda row: f"land {row // 2 % 12}", "nationality")
    assert feature.protected
    assert "#   groups: put the 12 categories into a few groups" in text


@pytest.fixture
def refused(tmp_path):
    """`refused(columns or bytes, ...)`: the faults that stand in the place of a draft."""

    def run(content, target="outcome", event="late"):
        path = tmp_path / "table.csv"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content:
            write_csv(path, content)
        with pytest.raises(TableError) as caught:
            describe(path, target, event)
        assert str(caught.value).startswith(str(path))
        return caught.value.faults

    return run


@pytest.mark.parametrize(
    ("event", "problem"),
    [(None, "needs an event"), ("Late", "never takes the event 'Late', and 'late' differs from it in case")],
)
def test_without_an_event_the_outcomes_are_listed_with_their_counts(refused, event, problem):
    (fault,) = refused({"kept": "abab", "outcome": ["late", "paid", "paid", "paid"]}, event=event)
    assert fault.startswith(f"column 'outcome' {problem}; it takes 'paid' (3 rows), 'late' (1 rows);")
    assert "--event" in fault


def test_a_target_of_many_values_is_cut_short(refused):
    (fault,) = refused({"kept": range(50), "outcome": range(50)}, event=None)
    assert "and 30 other values" in fault


def test_an_event_among_hundreds_of_values_is_told_to_be_grouped(refused):
    (fault,) = refused({"kept": range(300), "outcome": [row // 2 for row in range(300)]}, event="7")
    assert fault.endswith("takes 149 values beside the event '7', over 100; group them into a few outcomes")


def test_outcomes_that_look_alike_stand_in_the_draft_and_training_waits_for_them(tmp_path):
    words = ["late", "paid", "Late ", "paid", "sold"]
    columns = {"kept": [f"k{row // 5 % 4}" for row in range(60)], "outcome": [words[row % 5] for row in range(60)]}
    path = write_csv(tmp_path / "table.csv", columns)
    text = describe(path, "outcome", "late")
    assert text.splitlines()[0].endswith("Training needs the outcomes to be settled first.")
    assert '  # "Late " in 12 rows differs from late in a space at its end and case: ' in text
    file = tmp_path / "table.yaml"
    file.write_text(text)
    dataset = read_dataset(file)
    assert dataset.target.non_event == ("paid", "sold")
    with pytest.raises(TableError, match="'Late ' in 12 rows"):
        check(dataset, 2)
    file.write_text(text.replace("non_event:", 'exclude: ["Late "]\n  non_event:'))
    assert len(check(read_dataset(file), 2).target) == 48


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "no such file; give the path of a CSV or Parquet table"),
        (b"", "is empty; it needs a header line and rows"),
        (b"kept,outcome\n", "has a header and no rows"),
        (b"kept,result\na,late\n", "column 'outcome' is missing; the table has kept, result"),
        (b"kept,kept,outcome\na,b,late\n", "column 'kept' appears 2 times; keep one"),
        (b"kept,outcome\na,late\na\n", "line 3: 1 cells where the header has 2"),
        (b"kept,outcome\na,late\nb,\n", "line 3, column 'outcome': the outcome is missing"),
        (b"\xff\xfek\0e", "is not utf-16"),
        (
            b"kept,outcome\na,late\nb,late\n",
            "column 'outcome' has 2 rows with the event 'late' and 0 without; at least 2",
        ),
    ],
)
def test_a_table_that_cannot_be_described_is_told_as_in_training(refused, content, fault):
    (found,) = refused(content)
    assert found.startswith(fault)


def test_a_table_with_nothing_to_learn_from_is_told_with_the_reason_of_each_column(refused):
    columns = {"sex": [f"{row // 2 % 2}" for row in range(60)], "id": range(60), "outcome": outcomes(60)}
    first, *others = refused(columns)
    assert first == "no column is left as an input of the model"
    assert others == [
        "column 'id' is left out: an identifier by its name, and every value differs",
        "column 'sex' looks protected by its name",
    ]


def test_a_possible_leak_is_told_at_the_head_of_the_draft(described, tmp_path):
    columns = {"kept": [f"k{row % 4}" for row in range(60)], "paid late on": [row % 3 for row in range(60)]}
    text, _ = drafted(write_csv(tmp_path / "table.csv", columns | {"outcome": outcomes(60)}), "outcome", "late")
    assert "#   2. possible leaks of the outcome, left out: paid late on\n" in text


def applications(rows=120):
    return {
        "customer_id": [f"C{row % 70}" for row in range(rows)],
        "report_date": ["2025-01-31"] * rows,
        "application_date": [f"2024-{row // 10 + 1:02}-15" for row in range(rows)],
        "sample_weight": [1 + row % 4 / 2 for row in range(rows)],
        "last_payment_date": [f"2024-{row // 10 + 1:02}-28" for row in range(rows)],
        "kept": [f"k{row % 4}" for row in range(rows)],
        "outcome": outcomes(rows),
    }


@pytest.mark.parametrize("write", [write_csv, write_parquet], ids=["CSV", "Parquet"])
def test_dates_customers_and_weights_are_named_under_source_instead_of_dropped(tmp_path, write):
    columns = applications()
    if write is write_parquet:
        columns["application_date"] = [date.fromisoformat(day) for day in columns["application_date"]]
    path = write(tmp_path / f"table.{'csv' if write is write_csv else 'parquet'}", columns)
    text, dataset = drafted(path, "outcome", "late")
    source = dataset.source
    assert (source.time, source.group, source.weight) == ("application_date", "customer_id", "sample_weight")
    assert list(features(dataset)) == ["kept"]
    assert "application_date, customer_id, sample_weight, under source: is each what its key says?" in text
    assert "70 customers in 120 rows?" in text
    assert "#   last_payment_date: dates; replace them by a duration (months since then) to include it, or " in text
    table = check(dataset, 2)
    assert (len(np.unique(table.time)), len(np.unique(table.group))) == (12, 70)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("customer_id", lambda row: f"C{row}"),  # nobody twice
        ("customer_type", lambda row: f"kind {row % 12}"),
        ("application_date", lambda row: ["2024-01-01", "2024-02-01"][row // 2 % 2]),  # too few to walk forward
        ("application_date", lambda row: f"{row % 12 + 1}/5/2024"),  # may be two days
        ("date_of_birth", lambda row: f"{1950 + row}-01-01"),
        ("weight", lambda row: 50 + row % 40),  # of a person, or of a car
    ],
)
def test_what_only_looks_like_one_of_them_is_not_named(tmp_path, name, cells):
    columns = {"kept": [f"k{row % 4}" for row in range(60)], name: [cells(row) for row in range(60)]}
    _, dataset = drafted(write_csv(tmp_path / "table.csv", columns | {"outcome": outcomes(60)}), "outcome", "late")
    assert dataset.source.beside == {}
