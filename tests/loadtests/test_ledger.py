"""The ledger: nothing is lost when processes are added up."""

import pytest

from loadtests.counting.latencies import bucket, percentile_ms, upper_ms
from loadtests.counting.ledger import MAX_REASONS, Ledger, decode
from tests.loadtests.records import ledger


def test_the_books_of_two_processes_add_up_over_the_wire():
    one, two, together = ledger(1.0), ledger(9.0), Ledger()
    for number, books in enumerate((one, two, one)):
        books.cpu_s[f"worker {number % 2}"] = 3.0 + number
        together.add(decode(books.encode()))
    total = together.total(["single"])
    assert total.sent == total.answered == 3 * one.total(["single"]).sent
    assert percentile_ms(total.latencies, 0.6) == pytest.approx(1.0, rel=0.03)
    assert percentile_ms(total.latencies, 0.99) == pytest.approx(9.0, rel=0.03)
    assert together.cpu_s == {"worker 0": 5.0, "worker 1": 4.0}, "processor time is a total, and the last one counts"


def test_slices_choose_a_time():
    books = ledger()
    assert books.total(["v2"], 2, 4).answered == 2 * books.total(["v2"], 0, 1).answered
    assert books.user_s("v2", 2, 4) == 8
    books.refused("v2", 12.3, "503 overloaded")
    books.lost("v2", 12.9, 1, "timed out")
    late = books.total(["v2"], 10)
    assert (late.refused, late.lost, late.rows_lost) == (1, 1, 1)


def test_reasons_stay_few_and_short_and_their_number_is_kept():
    books = Ledger()
    for number in range(1000):
        books.refused("single", 0, f"{number} " + "x" * 10_000)
    assert len(books.reasons["single"]) == MAX_REASONS + 1
    assert sum(books.reasons["single"].values()) == 1000
    assert max(map(len, books.reasons["single"])) <= 200


def test_a_percentile_is_within_two_percent():
    for latency_ms in (0.011, 0.5, 3.3, 17.0, 250.0, 39_000.0):
        assert latency_ms <= upper_ms(bucket(latency_ms)) <= latency_ms * 1.0201
