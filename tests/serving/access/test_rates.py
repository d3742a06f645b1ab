"""Rates in rows: a large request is answered whole and paid off afterwards, and a changed file fills no bucket."""

import pytest

from serving.access.authenticator import Authenticator
from serving.access.denials import OverRate
from serving.access.rates import Rate
from tests.serving.access.test_authenticator import SECRET, Clock, listed

ROWS = "permissions: [predict]\n    rows_per_s: 100\n    explanations_per_s: 2"


def wait_s(rate: Rate, number: int) -> int:
    with pytest.raises(OverRate) as refused:
        rate.spend(number)
    assert refused.value.status == 429
    assert refused.value.retry_after_s is not None
    return refused.value.retry_after_s


def test_a_request_of_many_rows_is_granted_and_the_next_waits_for_as_long_as_it_was_large():
    clock = Clock()
    rate = Rate("batch", "rows scored", 100, 1, clock)
    rate.spend(0)
    rate.spend(10_000)
    assert wait_s(rate, 0) == 100
    assert wait_s(rate, 1) == 100, "looking and being refused cost nothing"
    clock.now_s += 100
    rate.spend(0)
    rate.spend(1)


def test_many_small_requests_have_the_rate_and_no_more():
    clock = Clock()
    rate = Rate("batch", "rows scored", 100, 1, clock)
    granted = 0
    for _ in range(2_000):
        clock.now_s += 0.005
        try:
            rate.spend(3)
        except OverRate:
            continue
        granted += 3
    assert 1_000 <= granted <= 1_000 + 100 + 3, "ten seconds, and the burst of one"


def test_each_worker_grants_its_share():
    clock = Clock()
    rate = Rate("batch", "rows scored", 100, 4, clock)
    rate.spend(1_000)
    assert wait_s(rate, 1) == 40


def test_a_changed_file_keeps_the_debt_of_a_key_whose_rate_stays(tmp_path):
    path = tmp_path / "keys.yaml"
    path.write_text("keys:\n" + listed("batch", SECRET, ROWS))
    authenticator = Authenticator(path, now_s=Clock())
    caller = authenticator.authorize(SECRET, "predict")
    assert caller.rows
    assert caller.explanations
    caller.rows.spend(1_000)
    path.write_text("keys:\n" + listed("batch", SECRET, ROWS.replace("_s: 2", "_s: 3")))
    authenticator.reload_if_changed()
    changed = authenticator.authorize(SECRET, "predict")
    assert changed.rows is caller.rows
    assert changed.explanations is not caller.explanations
    path.write_text("keys:\n" + listed("batch", SECRET))
    authenticator.reload_if_changed()
    assert authenticator.authorize(SECRET, "predict").rows is None
