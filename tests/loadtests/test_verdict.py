"""The verdict of user classes and of whole runs."""

import msgspec
import pytest

from loadtests.capacity import Search, Step, next_users, step_s
from loadtests.counting.ledger import Count
from loadtests.judging import judged
from loadtests.objectives import Objectives, read_slo
from loadtests.shapes import SHAPES
from loadtests.verdict import classes_table, judge, measure, missed_of
from tests.conftest import ROOT
from tests.loadtests.records import SECONDS, ledger, record

SLO = read_slo(ROOT / "loadtests/slo.yaml")
OBJECTIVES = Objectives(p50_ms=5, p95_ms=30, p99_ms=100, error_rate=0.01, throughput_floor=8)


def checks(books, name="single"):
    return judge(name, measure(books, name, 0, SECONDS), OBJECTIVES)


def test_a_good_run_passes_every_objective():
    assert missed_of(checks(ledger())) == ()
    assert judged(record(), SLO, None).passed


@pytest.mark.parametrize("latency_ms", [6, 10, 150])
def test_latencies_beyond_their_bound_are_missed(latency_ms):
    assert "single p50_ms" in missed_of(checks(ledger(latency_ms)))


def test_the_slowest_hundredth_has_a_bound_of_its_own():
    books = ledger()
    for _ in range(5):
        books.answered("single", 3, 1, 500)
    assert missed_of(checks(books)) == ("single p99_ms",)


def test_requests_that_end_after_the_load_count_too():
    """A service that hangs at the end: what waits is lost some seconds after the last was sent."""
    books = ledger()
    for _ in range(20):
        books.count("single", SECONDS - 1).sent += 1
        books.lost("single", SECONDS + 5.5, 1, "no answer")
    found = measure(books, "single", 0, SECONDS, to_the_last=True)
    assert (found.count.lost, found.seconds) == (20, SECONDS)
    assert missed_of(judge("single", found, OBJECTIVES)) == ("single error_rate",)


def test_what_is_answered_after_the_load_is_no_throughput():
    books = ledger()
    before = measure(books, "single", 0, SECONDS)
    for _ in range(50):
        books.count("single", SECONDS - 1).sent += 1
        books.answered("single", SECONDS + 0.9, 1, 900)
    found = measure(books, "single", 0, SECONDS, to_the_last=True)
    assert (found.per_s, found.per_user_s) == (before.per_s, before.per_user_s)
    assert found.p99_ms > before.p99_ms


def test_refused_and_lost_requests_are_errors():
    books = ledger()
    books.count("single", 1).sent += 10
    for _ in range(5):
        books.refused("single", 1, "503 overloaded")
        books.lost("single", 1, 1, "timed out")
    assert missed_of(checks(books)) == ("single error_rate",)


def test_a_service_that_holds_its_users_up_misses_the_floor_although_answers_are_quick():
    books = ledger()
    for second in range(SECONDS):
        books.users[second]["single"] = 6
    assert missed_of(checks(books)) == ("single throughput_floor",)


def test_no_answer_at_all_is_missed_and_no_user_is_not_judged():
    books = ledger()
    for classes in books.counts.values():
        classes["single"] = Count(sent=1, lost=1)
    assert "single p50_ms" in missed_of(checks(books))
    (check,) = checks(ledger(classes=("v2",)))
    assert (check.word, check.note) == ("not judged", "had no user; raise USERS")


def test_few_answers_do_not_judge_their_slowest():
    words = {check.what: check.word for check in judge("explain", measure(ledger(50), "explain", 0, 2), OBJECTIVES)}
    assert words["p50_ms"] == "MISSED"
    assert words["p99_ms"] == "not judged"


def test_the_table_marks_what_is_missed():
    run = judged(record(ledger(7)), SLO, None)
    table = classes_table(run.measured, run.checks).splitlines()
    assert not run.passed
    assert " ! 5 " in table[1]
    assert table[1].endswith("MISSED")
    assert len(table) == 1 + len(run.measured)


def test_a_service_five_times_slower_than_measured_fails_the_shipped_objectives():
    """1.2 to 1.6 ms is the median of a single request, measured on two cores with service and locust on both."""
    assert judged(record(ledger(1.6)), SLO, None).passed
    assert not judged(record(ledger(5 * 1.2)), SLO, None).passed


def test_a_soak_that_gets_slower_is_missed():
    books = ledger()
    slow = ledger(3.9)
    for second in range(8, 10):
        books.counts[second] = slow.counts[second]
    run = judged(record(books, shape="soak"), SLO, None)
    assert "growth single" in missed_of(run.checks)
    assert judged(record(shape="soak"), SLO, None).passed


def test_a_generator_that_is_the_slower_side_says_so():
    notes = [check.note for check in judged(record(busy=0.97), SLO, None).checks if check.subject == "generator"]
    assert len(notes) == 1
    assert "PROCESSES=2" in notes[0]


def test_a_generator_that_is_held_up_by_its_machine_says_so():
    books = ledger()
    for _ in range(1000):
        books.sent("single", 1, 40.0)
        books.answered("single", 1, 1, 2.0)
    notes = [check.note for check in judged(record(books), SLO, None).checks if check.subject == "generator"]
    assert len(notes) == 1
    assert "this machine is too busy" in notes[0]


def found_with(capacity: int, run_s: float = 600):
    """The steps and ends of a search on a service that holds its objectives up to `capacity` users."""

    def judge_step(users: int, begin_s: float, end_s: float) -> Step:
        assert 0 < end_s - begin_s < step_s(run_s)
        missed = () if users <= capacity else ("single p99_ms",)
        return Step(users=users, per_s=10 * users, missed=missed, busy=0.2)

    search, at_s = Search(50, run_s, 0, judge_step), 0.0
    while search.users(at_s) is not None:
        at_s += 1
    return search.steps, at_s


@pytest.mark.parametrize("capacity", [50, 70, 100, 200, 333])
def test_the_search_comes_close_to_the_capacity(capacity):
    steps, _ = found_with(capacity, 3600)
    check = judged(record(shape="breakpoint", steps=steps), SLO, None).checks[0]
    assert check.subject == "capacity"
    assert capacity * 10 / 1.15 <= check.measured <= capacity * 10
    assert "broke" in check.note


def test_a_search_ends_in_its_time_and_says_what_it_has_not_found():
    steps, at_s = found_with(10**9, 60)
    assert at_s <= 60
    (check, *_) = judged(record(shape="breakpoint", steps=steps), SLO, None).checks
    assert check.word == "pass"
    assert check.note.startswith("at least ")
    steps, _ = found_with(10)
    (check, *_) = judged(record(shape="breakpoint", steps=steps), SLO, None).checks
    assert check.missed
    assert "fewer USERS" in check.note


def test_one_bad_step_is_tried_again():
    good, bad = (Step(users=75, per_s=1, missed=missed, busy=0) for missed in ((), ("v2 p99_ms",)))
    first = Step(users=50, per_s=1, missed=(), busy=0)
    assert next_users(50, [first, bad]) == 75
    assert next_users(50, [first, bad, good]) == 113


def test_a_limit_of_locust_itself_is_not_called_one_of_the_service():
    steps, _ = found_with(100)
    steps = [msgspec.structs.replace(step, busy=0.99) for step in steps]
    (check, *_) = judged(record(shape="breakpoint", steps=steps), SLO, None).checks
    assert check.note.startswith("at least ")
    assert "locust itself was the limit" in check.note


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("users", [1, 2, 50])
def test_a_shape_has_between_one_and_all_users_at_any_moment(name, users):
    for tenth in range(600):
        assert 1 <= SHAPES[name](tenth / 10, 60, users) <= users
