"""What is due: each finding once, again after a day, its end once, and no message each minute for one that swings."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from monitoring.actions import ledger
from monitoring.actions.ledger import Account, delivered, due, failed, load, save, seen
from monitoring.findings.finding import Finding

START = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY_S = 86_400


def finding(subject="age", since=START, code="drift"):
    return Finding(code=code, subject=subject, value=0.3, bound=0.2, since=since, message="moved", remedy="look")


def at(**span):
    return START + timedelta(**span)


def look(account, findings, now, arrives=True, repeat_s=DAY_S):
    """One look of the watch: what was sent, and the account afterwards."""
    account = seen(account, findings, now)
    what = due(account, findings, now, repeat_s)
    if what is None:
        return None, account
    return what, delivered(account, what, now) if arrives else failed(account, now)


def subjects(part):
    return [one.subject for one in part]


def test_a_finding_is_told_once_and_what_begins_later_by_itself():
    what, account = look(Account(), [finding("age")], START)
    assert (subjects(what.firing), what.resolved) == (["age"], [])
    what, account = look(account, [finding("age", since=at(minutes=1))], at(minutes=1))
    assert what is None
    what, account = look(account, [finding("age"), finding("sum")], at(minutes=2))
    assert subjects(what.firing) == ["sum"]
    assert account.delivered == 2


def test_one_subject_with_two_codes_is_two_findings():
    what, _ = look(Account(), [finding("age"), finding("age", code="missing_values")], START)
    assert len(what.firing) == 2


def test_the_end_is_told_once_after_five_minutes_without_it():
    _, account = look(Account(), [finding("age"), finding("sum")], START)
    for minute in (1, 2, 3, 4, 5):
        what, account = look(account, [finding("sum")], at(minutes=minute))
        assert what is None
    what, account = look(account, [finding("sum")], at(minutes=6))
    assert (what.firing, subjects(what.resolved)) == ([], ["age"])
    assert look(account, [finding("sum")], at(minutes=20))[0] is None


def test_a_value_that_swings_about_its_bound_is_told_once():
    account, messages = Account(), []
    for minute in range(60):
        what, account = look(account, [finding()] if minute % 2 == 0 else [], at(minutes=minute))
        messages += [what] if what else []
    assert len(messages) == 1


@pytest.mark.parametrize(("repeat_s", "messages"), [(DAY_S, 3), (0, 1)])
def test_a_finding_that_stays_is_told_again_each_day_unless_that_is_turned_off(repeat_s, messages):
    account, sent, ids = Account(), 0, set()
    for hour in range(49):
        what, account = look(account, [finding()], at(hours=hour), repeat_s=repeat_s)
        sent += what is not None
        ids |= {what.id} if what else set()
    assert (sent, len(ids)) == (messages, messages)


def test_what_did_not_arrive_is_tried_again_later_and_later_with_the_same_id():
    account, attempts, ids = Account(), [], set()
    for second in range(0, 4 * 3600, 10):
        what, account = look(account, [finding()], at(seconds=second), arrives=False)
        if what:
            attempts.append(second)
            ids.add(what.id)
    gaps = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    assert gaps[:7] == [30, 60, 120, 240, 480, 960, 1920]
    assert set(gaps[7:]) == {3600}
    assert len(ids) == 1
    assert account.failed == len(attempts)
    what, account = look(account, [finding()], at(hours=5))
    assert what.id in ids
    assert (account.attempts, account.next_attempt) == (0, None)


def test_the_wait_that_a_destination_asks_for_is_kept_up_to_an_hour():
    assert failed(Account(), START, retry_after_s=7).next_attempt == at(seconds=7)
    assert failed(Account(), START, retry_after_s=1e9).next_attempt == at(hours=1)


def test_accounts_survive_a_restart(tmp_path):
    path = tmp_path / "monitor/actions.json"
    _, account = look(Account(), [finding()], START)
    account = failed(account, START)
    save(path, {"webhook": account})
    assert load(path) == {"webhook": account}
    assert [file.name for file in path.parent.iterdir()] == ["actions.json"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"webhook": {"told": 3}}', b"\xff"])
def test_a_torn_or_foreign_file_is_reported_and_forgotten(tmp_path, caplog, content):
    (tmp_path / "actions.json").write_bytes(content)
    assert load(tmp_path / "actions.json") == {}
    assert "open findings are told once more" in caplog.text


def test_without_a_file_nothing_was_told(tmp_path, caplog):
    assert ledger.load(tmp_path / "actions.json") == {}
    assert caplog.text == ""
