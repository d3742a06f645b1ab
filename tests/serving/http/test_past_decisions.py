"""Searches for past decisions: few wait, and those for the same id are one."""

import asyncio

import pytest

from models.errors import Unready
from monitoring.records.decision_log import DecisionLog
from monitoring.records.log_keys import NO_KEYS
from serving.http.past_decisions import MAX_SEARCHES, PastDecisions
from tests.monitoring.conftest import make_rows


@pytest.fixture
def past(tmp_path):
    log = DecisionLog(tmp_path, 2**26)
    log.append("m:1", make_rows(50))
    log.close()
    past = PastDecisions(tmp_path, NO_KEYS, 60)
    yield past
    past.close()


def test_callers_who_ask_for_the_same_id_at_once_share_a_search(past):
    async def ask():
        return await asyncio.gather(*(past.find("stranger") for _ in range(150)), past.find("application 7"))

    *strangers, known = asyncio.run(ask())
    assert strangers == [None] * 150
    assert known.row.applicant["application_id"] == "application 7"
    assert past.searches == 2


def test_few_searches_wait_and_the_rest_is_refused(past):
    async def ask():
        return await asyncio.gather(*(past.find(f"stranger {i}") for i in range(150)), return_exceptions=True)

    found = asyncio.run(ask())
    assert found[:MAX_SEARCHES] == [None] * MAX_SEARCHES
    assert {type(one) for one in found[MAX_SEARCHES:]} == {Unready}
    assert asyncio.run(past.find("stranger")) is None, "there is room again"


def test_a_caller_who_goes_leaves_the_search_to_the_others(past, tmp_path):
    async def ask():
        first, second = (asyncio.create_task(past.find("application 7")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(ask()).row.applicant["application_id"] == "application 7"
    assert past.searches == 1


def test_an_aborted_search_says_so_and_is_forgotten(tmp_path):
    log = DecisionLog(tmp_path, 2**26)
    log.append("m:1", make_rows(50))
    log.close()
    past = PastDecisions(tmp_path, NO_KEYS, -1)

    async def ask():
        return await asyncio.gather(*(past.find("stranger") for _ in range(3)), return_exceptions=True)

    for _ in range(2):
        assert {type(one) for one in asyncio.run(ask())} == {TimeoutError}
    assert past.searches == 2
    past.close()
