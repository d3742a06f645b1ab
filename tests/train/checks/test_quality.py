"""The statistical checks: what passes, what stops the pipeline, and whether rows and columns are named."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from configs.checks import read_checks
from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from configs.gates import read_gates
from models.validation import value_fault
from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import serialize
from tests.models.tables import german_credit, hand_made
from train.check import check
from train.checks.quality import assess
from train.errors import TableError
from train.tables.table import Table

CHECKS, GATES = read_checks(), read_gates()


@pytest.fixture(scope="module")
def german():
    dataset = german_credit()
    return dataset, check(dataset, 2)


def profiled(table):
    """The reference profile that a champion trained on this table would have."""
    return serialize(profile_columns(table.columns, "m:1", datetime.fromtimestamp(0, UTC)))


def stopped(dataset, table, reference=None, **bounds):
    """The faults for which the table is refused; the message names the file."""
    report = assess(dataset, table, msgspec.structs.replace(CHECKS, **bounds), reference, GATES)
    with pytest.raises(TableError) as caught:
        report.stop_if_refused()
    assert str(caught.value).startswith(dataset.source.path)
    return caught.value.faults


def passes(dataset, table, reference=None, **bounds):
    report = assess(dataset, table, msgspec.structs.replace(CHECKS, **bounds), reference, GATES)
    report.stop_if_refused()
    return report


def with_column(table, **columns):
    return Table(table.columns | columns, table.target, table.lines)


# The table alone


def test_german_credit_passes_and_is_warned_of_one_empty_category(german):
    report = passes(*german)
    assert report.verdicts() == {
        "schema": "passed",
        "vocabulary": "warned",
        "ranges": "passed",
        "nulls": "passed",
        "missing share": "passed",
        "duplicates": "passed",
        "class balance": "passed",
        "leaks": "passed",
    }
    (finding,) = report.findings
    assert (finding.column, "female_single" in finding.message) == ("personal_status_sex", True)


def test_a_table_with_missing_values_and_odd_names_passes(tmp_path):
    dataset = hand_made(tmp_path)
    assert passes(dataset, check(dataset, 2), few_events=20).findings == ()


def test_look_alikes_and_what_mostly_means_nothing_are_remarked(tmp_path):
    cities = ("own", "own ", "own\u00a0", "Own", "rent", "sa\u0303o", "são", "\\N", "<NA>", "None", "none")
    rows = ["city,amount,code,denied"]
    rows += [
        f"{cities[row % 11]},{(-999, 7, 30)[row % 3]},{row % 4},{('yes', 'no')[row // 3 % 2]}" for row in range(330)
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    features = (
        Feature(name="city", type="categorical", categories=cities),
        Feature(name="amount", type="integer"),
        Feature(name="code", type="integer"),
    )
    target, costs = Target(column="denied", event="yes"), Costs(missed_event=1, false_alarm=1)
    source = Source(path=str(tmp_path / "t.csv"))
    dataset = Dataset(name="x", source=source, target=target, costs=costs, features=features)
    report = passes(dataset, check(dataset, 2), most_duplicated_share=1)
    remedy = "list it in null_values under source, and set nullable: true"
    city = "'own ' in a space at its end, 'own\\xa0' in a no-break space at its end, 'Own' in case"
    assert [finding.message for finding in report.findings if finding.check != "duplicates"] == [
        f"column 'city': 4 spellings of one value? from 'own' differ {city}",
        "column 'city': 2 spellings of one value? from 'sa\u0303o' differ 'são' in the Unicode form of its letters",
        "column 'city': 2 spellings of one value? from 'None' differ 'none' in case",
        f"column 'city': '\\\\N' mostly means a missing value; where it does, {remedy}",
        f"column 'city': '<NA>' mostly means a missing value; where it does, {remedy}",
        f"column 'city': 'None' mostly means a missing value; where it does, {remedy}",
        f"column 'amount': -999, in 110 rows, stands apart; where it means missing, {remedy}",
    ]


def test_a_table_with_a_third_of_its_rows_twice_is_stopped_and_the_lines_are_named(german):
    dataset, table = german
    doubled = table.rows(np.r_[0:1000, 0:300])
    doubled = Table(doubled.columns, doubled.target, np.arange(2, 1302))
    (fault,) = stopped(dataset, doubled)
    assert fault.startswith("300 of 1,300 rows (23.1%) repeat an earlier one in full; at most 5.0% are allowed")
    assert "lines 1002 (as line 2), 1003 (as line 3)" in fault
    assert "and 290 more; remove them" in fault
    (finding,) = [f for f in assess(dataset, doubled, CHECKS, None, GATES).findings if f.check == "duplicates"]
    assert finding.lines == tuple(range(1002, 1302))


def test_a_few_repeated_rows_are_a_warning(german):
    dataset, table = german
    report = passes(dataset, table.rows(np.r_[0:1000, 7]))
    assert report.verdicts()["duplicates"] == "warned"


def test_rows_that_missing_values_leave_alike_are_repeats(tmp_path):
    dataset = hand_made(tmp_path)
    table = check(dataset, 2)
    assert stopped(dataset, table.rows(np.r_[0:240, 0:100]))[0].startswith("100 of 340 rows")


def test_a_narrow_table_of_few_values_is_alike_by_chance_and_passes():
    features = tuple(Feature(name=name, type="categorical", categories=("a", "b", "c")) for name in ("x", "y"))
    dataset = small(features)
    drawn = np.random.default_rng(0)
    columns = {name: drawn.choice(["a", "b", "c"], 500).tolist() for name in ("x", "y")}
    report = passes(dataset, Table(columns, drawn.integers(0, 2, 500)))
    (finding,) = report.findings
    assert "of which chance explains 482" in finding.message


def small(features):
    return Dataset(
        name="small",
        source=Source(path="small.csv"),
        target=Target(column="outcome", event="late"),
        costs=Costs(missed_event=1, false_alarm=1),
        features=features,
    )


def test_a_column_without_any_value_is_stopped_by_name(tmp_path):
    dataset = hand_made(tmp_path)
    table = check(dataset, 2)
    empty = {"months known": [None] * 240, "都市": [None] * 240}
    faults = stopped(dataset, with_column(table, **empty))
    assert [fault.split(" has")[0] for fault in faults] == ["column '都市'", "column 'months known'"]
    assert all("has no values; fill it, or remove the feature" in fault for fault in faults)


def test_a_column_that_is_mostly_missing_is_stopped_with_its_share(tmp_path):
    dataset = hand_made(tmp_path)
    table = check(dataset, 2)
    column = [None] * 180 + list(table.columns["months known"])[180:]
    (fault,) = stopped(dataset, with_column(table, **{"months known": column}))
    assert "192 of 240 cells (80.0%) are empty, at most 50.0% are allowed" in fault
    passes(dataset, with_column(table, **{"months known": column}), most_missing_share=0.8)


def test_a_count_of_events_decides_whether_a_table_is_too_small(german):
    dataset, table = german
    others, events = np.flatnonzero(table.target == 0), np.flatnonzero(table.target == 1)
    (few,) = stopped(dataset, table.rows(np.r_[others[:40], events[:19]]))
    assert few.startswith(
        "column 'credit_risk': 19 rows with the event, where 20 are needed; add rows, or lower least_"
    )
    (few,) = stopped(dataset, table.rows(np.r_[others[:19], events[:40]]))
    assert "19 rows without the event, where 20 are needed" in few
    report = passes(dataset, table.rows(np.r_[others, events[:99]]))
    (warned,) = [finding.message for finding in report.findings if finding.check == "class balance"]
    assert warned.startswith("99 rows with the event: intervals are wide")
    # 0.4% of the rows, and yet a hundred events.
    rare = table.rows(np.r_[np.tile(others, 36), events[:100]])
    assert passes(dataset, rare, most_duplicated_share=1).verdicts()["class balance"] == "passed"


def test_where_nearly_all_have_the_event_it_is_probably_the_wrong_value(german):
    dataset, table = german
    others, events = np.flatnonzero(table.target == 0), np.flatnonzero(table.target == 1)
    (many,) = stopped(dataset, table.rows(np.r_[others[:25], events]))
    assert "300 of 325 rows (92.31%) are 'bad', where at most 90.00% are allowed; fix target.event" in many


def test_every_wrong_cell_is_named_with_its_line_and_the_words_of_a_request(german):
    dataset, table = german
    first = {name: list(values) for name, values in table.columns.items()}
    wrong = {"age_years": [3.0, None, 30.5, 1e9], "housing": ["castle", None, 5], "dependents": ["many"]}
    for name, values in wrong.items():
        first[name][: len(values)] = values
    faults = stopped(dataset, Table(first, table.target, table.lines))
    features = {feature.name: feature for feature in dataset.features}
    expected = {
        f"line {line}, column {name!r}: {value!r} {value_fault(features[name], value)}"
        for name, values in wrong.items()
        for line, value in enumerate(values, start=2)
    }
    assert set(faults) == expected
    assert [int(fault.split(",")[0].removeprefix("line ")) for fault in faults] == [2, 2, 2, 3, 3, 4, 4, 5]


def test_all_kinds_of_faults_come_at_once(german):
    dataset, table = german
    columns = dict(table.rows(np.r_[0:1000, 0:300]).columns)
    del columns["job"]
    columns["age_years"] = [17.0, *columns["age_years"][1:]]
    faults = stopped(dataset, Table(columns, np.r_[1, np.zeros(1299, dtype=np.int64)]))
    for said in ("rows (", "'credit_risk'", "column 'job' is missing", "line 1, column 'age_years'"):
        assert [fault for fault in faults if said in fault], said
    assert faults[-1].startswith("line 1,")


def test_a_table_with_wrong_cells_is_reported_without_distributions(german):
    dataset, table = german
    report = assess(dataset, with_column(table, housing=["castle"] * 1000), CHECKS, profiled(table), GATES)
    assert (report.features, report.drift) == ((), None)


def test_a_constant_column_is_a_warning(german):
    dataset, table = german
    report = passes(dataset, with_column(table, dependents=[1.0] * 1000))
    assert "column 'dependents' is always 1.0" in [finding.message for finding in report.findings][-1]


# Against the champion's reference


def test_without_a_champion_there_is_no_drift_to_tell(german):
    assert passes(*german).drift is None


@pytest.mark.parametrize("rows", [100, 200, 500])
def test_a_random_part_passes_against_another(german, rows):
    dataset, table = german
    for seed in range(8):
        drawn = np.random.default_rng(seed).permutation(1000)
        reference = profiled(table.rows(drawn[:rows]))
        report = passes(dataset, table.rows(drawn[rows : 2 * rows]), reference)
        assert (report.drift.rows, len(report.drift.columns), report.drift.findings) == (rows, 20, ())


@pytest.mark.parametrize(
    "moved",
    [lambda values: np.round(values * 1.5), lambda values: np.round(values + values.std())],
    ids=["times one and a half", "plus a standard deviation"],
)
def test_a_number_that_moved_is_stopped_by_name(german, moved):
    dataset, table = german
    training = table.rows(np.random.default_rng(0).permutation(1000)[:800])
    column = moved(np.array(table.columns["credit_amount"])).tolist()
    (fault,) = stopped(dataset, with_column(table, credit_amount=column), profiled(training))
    assert fault.startswith("column 'credit_amount' has drifted from the champion's training rows: PSI ")
    assert "KS 0." in fault
    assert fault.endswith("or raise psi_stop and ks_stop in configs/checks.yaml")
    passes(dataset, with_column(table, credit_amount=column), profiled(training), psi_stop=10.0, ks_stop=1.0)


def test_a_category_that_took_over_is_stopped_by_name(german):
    dataset, table = german
    (fault,) = stopped(dataset, with_column(table, housing=["rent", "own"] * 500), profiled(table))
    assert fault.startswith("column 'housing' has drifted")
    assert "KS" not in fault


def test_a_smaller_shift_is_a_warning_in_the_drift_part_alone(german):
    dataset, table = german
    column = np.round(np.array(table.columns["credit_amount"]) * 1.25).tolist()
    report = passes(dataset, with_column(table, credit_amount=column), profiled(table))
    (finding,) = report.drift.findings
    assert (finding.stops, finding.column, finding.check) == (False, "credit_amount", "drift")
    assert "drift" not in {finding.check for finding in report.findings}


def test_a_feature_that_the_champion_did_not_have_is_a_warning(german):
    dataset, table = german
    reference = profiled(Table({k: v for k, v in table.columns.items() if k != "job"}, table.target))
    (finding,) = passes(dataset, table, reference).drift.findings
    assert finding.message == "column 'job' is not in the reference, so it cannot be compared"


def test_what_is_said_of_the_table_does_not_depend_on_the_reference(german):
    dataset, table = german
    other = profiled(table.rows(np.arange(100)))
    reports = [assess(dataset, table, CHECKS, reference, GATES) for reference in (None, other)]
    assert reports[0].as_dict() == reports[1].as_dict()
