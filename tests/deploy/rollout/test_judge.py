"""What is judged: bad canaries are found from few requests, and good ones are not accused, however often one looks."""

import random

import pytest

from configs.rollout import read_rollout
from deploy.rollout.counts import FAULTS, Counts, Own
from deploy.rollout.haproxy import FAULTS as SHOWN
from deploy.rollout.judge import error_budget, judge
from deploy.rollout.state import Totals
from models.errors import CODES

OBJECTIVES = read_rollout().objectives
GOOD = Counts(
    requests=1000,
    answered=1000,
    http_ended=1000,
    response_ms=4,
    own=Own(decisions={"approve": 430, "decline": 570}, rows_squared=1000),
)


def verdict(new, stable=GOOD, spent=None, stalled_s=0.0):
    """The objective that is broken, or None."""
    breach = judge(OBJECTIVES, new, stable, spent or Totals(new.requests + stable.requests, new.failures), stalled_s)
    return breach and breach.objective


def counts(**values):
    """Counts of 100 requests, good but for `values`."""
    usual = {"requests": 100, "answered": 100, "http_ended": 100, "response_ms": 5}
    own = {"decisions": {"approve": 43, "decline": 57}, "rows_squared": 100}
    own |= {name: value for name, value in values.items() if name in Own.__struct_fields__ and name != "failures"}
    own["failures"] = values.get("own_failures", 0)
    seen = {name: value for name, value in values.items() if name in Counts.__struct_fields__}
    return Counts(**usual | seen, own=Own(**own))


def groups(young, old, of=100):
    """Decisions of two groups, so many of them approved."""
    return {
        ("age", name): {"approve": approved, "decline": of - approved}
        for name, approved in (("young", young), ("old", old))
    }


@pytest.mark.parametrize(
    ("new", "objective"),
    [
        (counts(), None),
        (counts(is_up=False), "health"),
        (counts(failures=2), None),
        (counts(requests=3, answered=0, failures=3, decisions={}), "errors"),
        (counts(own_failures=30), "errors"),
        (counts(refused=40), "refusals"),
        (counts(refused=5), None),
        (counts(refusals=40), "refusals"),
        (counts(response_ms=300), "latency"),
        (counts(response_ms=60), "latency"),
        (counts(response_ms=20), None),
        (counts(response_ms=9000, answered=100, http_ended=5), None),
        (counts(decisions={"decline": 60}), "decisions"),
        (counts(decisions={"approve": 60}), "decisions"),
        (counts(decisions={"decline": 20}), None),
        (counts(groups=groups(5, 60)), "fairness"),
        (counts(groups=groups(40, 60)), None),
        (counts(groups=groups(0, 10, of=20)), None),
    ],
)
def test_each_objective_is_broken_by_what_it_is_about(new, objective):
    assert verdict(new) == objective


def test_a_canary_that_hangs_is_given_up_and_one_slow_upload_is_no_hanging():
    assert verdict(counts(in_flight=9), stalled_s=OBJECTIVES.stalled_s) == "stalled"
    assert verdict(counts(in_flight=1), stalled_s=OBJECTIVES.stalled_s) is None


@pytest.mark.parametrize(
    ("sizes", "objective"),
    [
        ([256] * 2, None),
        ([256] * 400, "decisions"),
        ([1] * 199 + [256], None),
        ([1] * 195 + [64] * 5, None),
    ],
)
def test_the_applicants_of_one_request_are_no_independent_observations(sizes, objective):
    """Few declined portfolios prove nothing, hundreds of them do; of the single applicants 43% are approved."""
    single = sizes.count(1)
    decisions = {"approve": round(0.43 * single), "decline": sum(sizes) - round(0.43 * single)}
    squares = sum(size**2 for size in sizes)
    assert verdict(counts(requests=len(sizes), decisions=decisions, rows_squared=squares)) == objective


@pytest.mark.parametrize(("requests", "objective"), [(2, None), (400, "fairness")])
def test_nor_are_those_of_its_groups(requests, objective):
    mixed = {"approve": 110 * requests, "decline": 146 * requests}
    unfair = groups(13 * requests, 97 * requests, of=128 * requests)
    new = counts(requests=requests, decisions=mixed, groups=unfair, rows_squared=256**2 * requests)
    assert verdict(new) == objective


def test_the_words_for_faults_are_those_of_the_service():
    assert {code for status, code in CODES.items() if status >= 500} == FAULTS
    assert {status: code for status, (code, _) in SHOWN.items() if status in CODES} == {
        status: CODES[status] for status in SHOWN if status in CODES
    }


def test_failures_few_enough_to_be_chance_spend_the_budget_of_the_whole_rollout():
    assert error_budget(OBJECTIVES, 100) == OBJECTIVES.least_budget
    assert error_budget(OBJECTIVES, 1_000_000) == pytest.approx(1000)
    assert verdict(counts(), spent=Totals(5_000, 10)) is None
    assert verdict(counts(), spent=Totals(5_000, 11)) == "error budget"


def test_a_model_as_unfair_as_the_stable_one_is_not_blamed_for_it():
    """The embedded model approves applicants under 25 0.61 times as often as others."""
    usual = groups(300, 490, of=1000)
    assert verdict(counts(groups=usual), stable=counts(groups=usual)) is None
    fair = counts(groups=groups(1200, 1200, of=2000))
    assert verdict(counts(groups=groups(760, 1200, of=2000)), stable=fair) == "fairness"
    assert verdict(counts(groups=groups(760, 1200, of=2000))) is None  # over the absolute bound


def test_a_canary_like_the_stable_instance_is_not_accused_in_any_of_its_looks():
    """A hundred canaries, each looked at two hundred times while it serves 1,000 of 10,000 requests."""
    draws = random.Random(1)
    for _ in range(100):
        new, stable = {"approve": 0, "decline": 0}, {"approve": 0, "decline": 0}
        for _ in range(200):
            for seen, number in ((new, 5), (stable, 45)):
                for _ in range(number):
                    seen["approve" if draws.random() < 0.43 else "decline"] += 1
            one, other = (sum(seen.values()) for seen in (new, stable))
            assert (
                verdict(
                    Counts(requests=one, answered=one, response_ms=4, own=Own(decisions=new, rows_squared=one)),
                    Counts(
                        requests=other, answered=other, response_ms=4, own=Own(decisions=stable, rows_squared=other)
                    ),
                )
                is None
            )


def test_a_counter_that_began_anew_counts_from_there():
    now, before = (Counts(requests=n, own=Own(decisions={"approve": k})) for n, k in ((5, 3), (900, 700)))
    assert now.since(before) == now
