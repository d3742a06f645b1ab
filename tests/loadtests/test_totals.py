"""The totals: agreement passes, each kind of disagreement is named, and other clients are not blamed on the service."""

import pytest

from loadtests.target import parse_samples
from loadtests.totals import Reading, judge_totals, reading, settled, totals
from tests.loadtests.records import counted, ledger


def judge(changes=None, others=0, books=None):
    books = books or ledger()
    return judge_totals(totals(books, counted(books, **(changes or {})), others))


def test_totals_that_agree_pass_and_are_spelled_out():
    (check,) = judge()
    assert check.word == "pass"
    assert check.note.startswith("1,320 requests sent = 1,320 answered + 0 refused; ")
    assert "rows scored" in check.note


ROWS = counted(ledger()).rows


PREDICTED = counted(ledger()).predicted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"profiled": ROWS - 1}, "profiled after"),
        ({"logged": ROWS - 1, "profiled": ROWS - 1}, "rows scored, and"),
        ({"rejected": 1}, "0 requests refused, and 1 counted as refused"),
        ({"predicted": PREDICTED | {"grpc": 399}}, "grpc: 400 rows answered, and 399 counted"),
        (
            {"predicted": PREDICTED | {"v2": 401}},
            "v2: 401 rows scored, and 400 asked for: another",
        ),
    ],
)
def test_a_disagreement_is_missed_and_named(changes, said):
    found = judge(changes)
    assert all(check.missed for check in found)
    assert any(said in check.note for check in found), found


def test_a_request_that_nobody_accounts_for_is_missed():
    books = ledger()
    books.count("v2", 1).sent += 1
    assert any("a process of locust was lost" in check.note for check in judge(books=books))


def test_a_lost_request_may_have_been_scored_or_not():
    books = ledger()
    books.count("v2", 1).sent += 2
    for _ in range(2):
        books.lost("v2", 1, 1, "timed out")
    for scored in (0, 1, 2):
        rows = counted(books).rows + scored
        changes = {"predicted": counted(books).predicted | {"v2": 400 + scored}, "logged": rows, "profiled": rows}
        assert [check.word for check in judge(changes, books=books)] == ["pass"], scored


def test_refusals_agree_with_the_metrics():
    books = ledger()
    books.count("single", 1).sent += 1
    books.refused("single", 1, "503 overloaded")
    assert [check.word for check in judge(books=books)] == ["pass"]
    assert judge({"rejected": 0}, books=books)[0].missed


def test_rows_that_could_not_be_logged_are_part_of_the_sum():
    (check,) = judge({"logged": ROWS - 5, "unlogged": 5, "profiled": ROWS - 5})
    assert check.word == "pass"
    assert "(+ 5 unlogged)" in check.note


def test_others_that_are_seen_are_named_and_nothing_is_judged():
    (check,) = judge({"profiled": ROWS + 12}, others=12)
    assert check.word == "not judged"
    assert "others use this service" in check.note


def test_a_restart_is_seen_by_counters_that_went_down():
    (check,) = judge({"logged": -5})
    assert check.missed
    assert "restarted" in check.note


PAGE = """# HELP scorer_predictions_total Rows answered
scorer_predictions_total{decision="approve",model="loans:1",protocol="http"} 3.0
scorer_predictions_total{decision="decline",model="loans:1",protocol="http"} 2.0
scorer_predictions_total{decision="decline",model="loans:1",protocol="grpc"} 4.0
scorer_rejected_total{reason="invalid_applicant"} 1.0
scorer_rejected_total{reason="unavailable"} 2.0
scorer_logged_rows_total 9.0
scorer_profiled_rows_total 7
"""


def test_a_page_of_metrics_is_summed_over_its_labels():
    found = reading(parse_samples(PAGE))
    assert found == Reading(predicted={"http": 5, "grpc": 4}, rejected=3, logged=9, unlogged=0, profiled=7)


def test_the_profiler_is_waited_for_and_not_for_ever():
    first = Reading(predicted={}, rejected=0, logged=0, unlogged=0, profiled=0)
    steps = [counted(ledger(), profiled=amount) for amount in (0, 5, ROWS, ROWS)]
    left = iter(steps)
    assert settled(lambda: next(left), first).profiled == ROWS
    assert settled(lambda: steps[0], first, within_s=0).profiled == 0
