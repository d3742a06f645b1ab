"""A table whose outcomes are not those of its population: a rate that has moved, and rows that are too young."""

import dataclasses

import numpy as np
import pytest

from configs.checks import read_checks
from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from configs.gates import read_gates
from train.checks.data_report import page
from train.checks.population import Before, examine_rate, examine_vintages, rates_by_vintage
from train.checks.quality import assess
from train.tables.column import NumberColumn
from train.tables.table import Table

CHECKS = read_checks()
EVEN = [0.2] * 10


def dataset_of(days=0, prior=None):
    return Dataset(
        name="x",
        source=Source(path="x.csv", time="when"),
        target=Target(column="denied", event="yes", mature_after_days=days),
        costs=Costs(missed_event=1, false_alarm=1),
        features=(Feature(name="row", type="integer"),),
        prior=prior,
    )


def table_of(rates, rows=200):
    """`rows` rows in each month from January 1970 on, of which these shares have the event."""
    count = len(rates) * rows
    target = np.concatenate([np.arange(rows) < rate * rows for rate in rates]).astype(np.int64)
    days = np.repeat(np.arange(len(rates)) * 31, rows)
    return Table({"row": NumberColumn(np.arange(count, dtype=float))}, target).with_beside({"time": days})


def vintages(rates, days=0, **changes):
    table = dataclasses.replace(table_of(rates), **changes)
    return examine_vintages(dataset_of(days), table, CHECKS, rates_by_vintage(table))


def test_a_newest_vintage_in_which_hardly_anything_has_happened_yet_stops():
    (finding,) = vintages([*EVEN, 0.05])
    assert finding.stops
    assert finding.message == (
        "column 'when': 5.0% of the newest rows (1970-11) have the event, 20.0% of those before; where they are too "
        "young for it to have happened, set target.mature_after_days, or raise rate_stop in configs/checks.yaml"
    )


@pytest.mark.parametrize(("newest", "days"), [(0.05, 90), (0.45, 0), (0.32, 0)])
def test_one_that_has_moved_otherwise_is_a_warning(newest, days):
    (finding,) = vintages([*EVEN, newest], days)
    assert not finding.stops
    assert f"{newest:.1%} of the newest rows" in finding.message


def test_vintages_within_chance_and_tables_without_dates_say_nothing():
    assert vintages([*EVEN, 0.17]) == []
    assert examine_vintages(dataset_of(), table_of(EVEN), CHECKS, ()) == []


def test_rows_that_were_left_out_for_their_youth_are_told():
    (finding,) = vintages(EVEN, days=90, young=500)
    assert finding.message == (
        "column 'when': 500 of 2,500 rows are younger than 90 days and are left out (target.mature_after_days)"
    )


@pytest.mark.parametrize(("rate", "prior", "stops"), [(0.4, None, True), (0.4, 0.05, False), (0.26, None, False)])
def test_a_delivery_in_which_the_event_has_become_rarer_stops_unless_it_was_drawn_so(rate, prior, stops):
    (finding,) = examine_rate(dataset_of(prior=prior), table_of(EVEN), CHECKS, Before(rate, 5000))
    assert finding.stops == stops
    assert finding.message.startswith(
        f"column 'denied': 20.0% of the rows have the event 'yes', {rate:.1%} of those that the champion was trained on"
    )
    assert ("or for rows drawn by outcome (set prior), or raise rate_stop" in finding.message) == stops


def test_a_rate_that_chance_explains_is_no_finding():
    small = table_of([0.2], rows=50)
    assert examine_rate(dataset_of(), small, CHECKS, Before(0.3, 5000)) == []
    assert examine_rate(dataset_of(), small, CHECKS, None) == []


def test_the_page_has_the_rate_of_each_vintage():
    report = assess(dataset_of(), table_of([*EVEN, 0.05]), CHECKS, None, read_gates())
    assert report.verdicts()["vintages"] == "stopped"
    assert [rate["rate"] for rate in report.as_dict()["vintages"]] == [*EVEN, 0.05]
    assert "<th scope='row'>1970-11</th>" in page(report)
    plain = assess(dataset_of(), dataclasses.replace(table_of(EVEN), time=np.zeros(0)), CHECKS, None, read_gates())
    assert "vintages" not in plain.verdicts()
    assert "Vintages" not in page(plain)
