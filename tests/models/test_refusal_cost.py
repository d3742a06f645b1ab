"""What a refusal costs: in proportion to the request, also for the widest of tables.

Time is processor time, beside that of a reference on the same input.
"""

import json
import time
from collections.abc import Callable

import msgspec
import pytest

from configs.dataset import Dataset
from models.errors import Rejected
from models.request import RequestDecoder
from models.schema import Schema
from models.spelling import MAX_PAIRS
from models.validation import MAX_DETAILS
from serving.v2.tensors import Tensor, TensorDecoder

FEATURES, CATEGORIES = 1000, 10_000
NUMBERS = {f"feature_{i:04d}": 0.5 for i in range(FEATURES - 1)}
GOOD = NUMBERS | {"kind": "category number 3"}


@pytest.fixture(scope="module")
def wide():
    """A schema of 1,000 features, one of them with 10,000 categories."""
    features = [{"name": name, "type": "number", "minimum": 0, "maximum": 1} for name in NUMBERS]
    kind = {"name": "kind", "type": "categorical", "categories": [f"category number {i}" for i in range(CATEGORIES)]}
    dataset = {
        "name": "wide",
        "description": "",
        "source": {"path": "x", "license": "l", "citation": "c"},
        "target": {"column": "outcome", "event": "bad"},
        "costs": {"missed_event": 5, "false_alarm": 1},
        "features": [*features, kind],
    }
    return Schema(msgspec.convert(dataset, Dataset))


def refused(decode: Callable[[], object]) -> Rejected:
    with pytest.raises(Rejected) as caught:
        decode()
    return caught.value


def cpu_s(work: Callable[[], object]) -> float:
    """The least processor time of three runs."""

    def once() -> float:
        started = time.thread_time()
        work()
        return time.thread_time() - started

    return min(once() for _ in range(3))


SLIPS = [f"feat{i:04d}" for i in range(MAX_DETAILS)]  # the letters that may be compared are enough for one of them
HINT, NONE = "unknown field; did you mean feature_0000?", "unknown field"
UNKNOWN = {
    "20 names": ([GOOD | dict.fromkeys(SLIPS, 1)], [HINT] + [NONE] * 19),
    "a name in each of 21 rows": ([GOOD | {name: 1} for name in (*SLIPS, "feat0020")], [HINT] + [NONE] * 19),
    "a name like no other, and 19": ([GOOD | dict.fromkeys(["0000_eru", *SLIPS[1:]], 1)], [NONE] * 20),
}


@pytest.mark.parametrize(("applicants", "messages"), UNKNOWN.values(), ids=UNKNOWN)
def test_the_letters_compared_for_one_request_are_bounded(wide, applicants, messages):
    assert MAX_PAIRS // 2 < len(SLIPS[0]) * sum(map(len, wide.names)) <= MAX_PAIRS
    body = json.dumps({"applicants": applicants}).encode()
    error = refused(lambda: RequestDecoder(wide, 10_000).decode(body))
    assert [detail.message for detail in error.details] == messages


def test_so_are_those_of_tensors(wide):
    tensors = [Tensor(name, "FP64", [0.5] * 30) for name in (*NUMBERS, *(f"feat{i:04d}" for i in range(900)))]
    error = refused(lambda: TensorDecoder(wide, 10_000).decode(tensors))
    assert [detail.message for detail in error.details] == [HINT] + [NONE] * 19


def test_twenty_slips_of_the_pen_all_get_a_suggestion(german_applicants):
    from configs.dataset import read_dataset
    from tests.conftest import GERMAN_CREDIT

    applicant = {f"{name[:-1]}q": value for name, value in german_applicants[0].items()}
    body = json.dumps({"applicants": [applicant]}).encode()
    error = refused(lambda: RequestDecoder(Schema(read_dataset(GERMAN_CREDIT)), 100).decode(body))
    assert len(error.details) == MAX_DETAILS
    assert [detail.message for detail in error.details if "did you mean" not in detail.message] == []


ODD = {
    "one fault in the last of 200 rows": [*[GOOD] * 199, GOOD | {"feature_0001": 2}],
    "a category that is none in each of 20 rows": [GOOD | {"kind": f"Category  number x{i}"} for i in range(20)],
    "200,000 names that are none": [{str(i): 0 for i in range(200_000)}],
    "20 texts of 200 kB": [GOOD | {"kind": 200_000 * "x"} for _ in range(20)],
}


@pytest.mark.parametrize("applicants", ODD.values(), ids=ODD)
def test_a_refusal_costs_little_more_than_reading_the_request(wide, applicants):
    body = json.dumps({"applicants": applicants}).encode()
    decoder = RequestDecoder(wide, 10_000)
    refused(lambda: decoder.decode(body))  # what is remembered of a vocabulary is made once
    assert cpu_s(lambda: refused(lambda: decoder.decode(body))) < 15 * cpu_s(lambda: json.loads(body)) + 0.02


def test_refused_tensors_cost_little_more_than_good_ones(wide):
    decoder = TensorDecoder(wide, 10_000)
    good = [Tensor(name, "FP64", [0.5] * 200) for name in NUMBERS]
    good.append(Tensor("kind", "BYTES", ["category number 3"] * 200))
    bad = [Tensor("feature_0000", "FP64", [*[0.5] * 199, 2.0]), *good[1:]]
    assert len(refused(lambda: decoder.decode(bad)).details) == 1
    assert cpu_s(lambda: refused(lambda: decoder.decode(bad))) < 10 * cpu_s(lambda: decoder.decode(good))
