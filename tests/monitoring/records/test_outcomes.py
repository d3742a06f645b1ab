"""The store of outcomes, on SQLite and on a real PostgreSQL: order, repetition, writers at once, keys, kills."""

import multiprocessing
import os
import random
import signal
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from configs.monitoring import read_monitoring
from configs.source import ConfigError
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.outcomes import Contradiction, Kept, Outcome, OutcomeStore, OutcomesUnavailable
from monitoring.records.outcomes_database import open_database
from tests.conftest import free_port
from tests.train.test_tracking import postgresql

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of its own, which takes a second."""
    with postgresql() as address:
        yield f"postgresql://scorer@{address}"


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path):
    """Of an empty store in each database."""
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("server")
        with OutcomeStore(at(tmp_path, url)) as store:
            store.retain(1, now=datetime.now(UTC) + timedelta(days=9))
    return at(tmp_path, url)


def at(directory, url=""):
    return msgspec.structs.replace(read_monitoring(), directory=str(directory), outcomes_url=url)


@pytest.fixture
def store(settings):
    with OutcomeStore(settings) as store:
        yield store


def outcome(number, event=True, hours=0.0):
    return Outcome(f"A-{number}", event, NOON + timedelta(hours=hours))


def test_outcomes_are_accepted_repeated_corrected_and_read(store):
    assert store.events(["A-1"]) == store.all_events() == {}
    assert store.keep([outcome(1), outcome(2, event=False)]) == Kept(2, 0, 0)
    assert store.keep([outcome(1), outcome(2, hours=1), outcome(3)]) == Kept(1, 1, 1)
    assert store.events(["A-1", "A-2", "A-9"]) == {
        "A-1": (True, NOON),
        "A-2": (True, NOON + timedelta(hours=1)),
    }
    assert store.all_events().keys() == {"id:A-1", "id:A-2", "id:A-3"}


def test_any_order_and_any_repetition_leave_the_same_store(settings, store):
    """A hundred orders of the same eleven observations of three applicants."""
    seen = [
        outcome(number, event=(hours * 7 + number) % 3 > 0, hours=hours) for number in range(3) for hours in range(4)
    ]
    newest = {f"id:A-{number}": (seen[number * 4 + 3].event, seen[number * 4 + 3].observed_at) for number in range(3)}
    drawn = random.Random(0)
    for _ in range(20):
        order = drawn.sample([*seen, *seen[:5]], len(seen) + 5)
        middle = drawn.randrange(1, len(order))
        store.keep(order[:middle])
        store.keep(order[middle:])
        assert store.all_events() == newest
        for number in range(3):
            assert store.erase(f"A-{number}") == 1


def test_a_contradiction_keeps_nothing_of_its_request(store):
    store.keep([outcome(1)])
    with pytest.raises(Contradiction) as caught:
        store.keep([outcome(2), outcome(1, event=False)])
    assert caught.value.rows == [1]
    assert store.all_events() == {"id:A-1": (True, NOON)}


def test_ten_thousand_are_kept_in_one_request_and_again(store):
    many = [outcome(number, event=number % 3 == 0) for number in range(10_000)]
    assert store.keep(many) == Kept(10_000, 0, 0)
    assert store.keep(many) == Kept(0, 10_000, 0)
    assert sum(event for event, _ in store.all_events().values()) == 3334


def test_ids_of_every_kind_are_kept_apart(store):
    ids = ["a", "A", "ä", "東京", "a\0", "a\\0", "a\\", "'; drop table outcomes; --", "%", "id:a", " a"]
    assert store.keep([Outcome(one, event=True, observed_at=NOON) for one in ids]) == Kept(len(ids), 0, 0)
    assert store.events(ids).keys() == set(ids)


def test_with_a_key_ids_are_digests_and_every_key_of_the_log_finds_them(settings):
    several = [NO_KEYS, LogKeys([b"o" * 32]), LogKeys([b"n" * 32, b"o" * 32])]
    with ExitStack() as stack:
        plain, keyed, rotated = (stack.enter_context(OutcomeStore(settings, keys)) for keys in several)
        plain.keep([outcome(1)])
        keyed.keep([outcome(2)])
        assert rotated.keep([outcome(1), outcome(2), outcome(3)]) == Kept(1, 2, 0)
        assert rotated.events(["A-1", "A-2", "A-3"]).keys() == {"A-1", "A-2", "A-3"}
        assert sorted(name.partition(":")[0] for name in rotated.all_events()) == ["hmac", "hmac", "id"]
        assert plain.events(["A-2"]) == {}
        assert [rotated.erase(f"A-{number}") for number in (1, 2, 3)] == [1, 1, 1]


def test_retention_deletes_by_when_the_value_came(store):
    old = datetime.now(UTC) - timedelta(days=10)
    store.keep([outcome(1)], now=old)
    store.keep([outcome(2)])
    assert store.retain(0) == 0
    assert store.retain(9) == 1
    assert store.all_events().keys() == {"id:A-2"}


def test_writers_at_once_lose_nothing_and_each_applicant_is_accepted_once(settings):
    found = []

    def write():
        with OutcomeStore(settings) as own:
            found.append(own.keep([outcome(number) for number in range(300)]))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(kept.accepted for kept in found) == 300
    assert sum(kept.repeated for kept in found) == 900
    with OutcomeStore(settings) as store:
        assert len(store.all_events()) == 300


def keep_until_killed(settings, answered):
    """Keep batch after batch; say so after each, as an answer does."""
    with OutcomeStore(settings) as store:
        for number in range(100_000):
            store.keep([outcome(f"{number}-{row}") for row in range(20)])
            answered.send(number)


@pytest.mark.parametrize("after", [1, 20])
def test_what_was_answered_before_kill_9_is_there_and_no_request_is_there_in_part(settings, after):
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    writer = context.Process(target=keep_until_killed, args=(settings, sender))
    writer.start()
    last = -1
    while last < after:
        last = receiver.recv()
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    while receiver.poll():
        try:
            last = receiver.recv()
        except EOFError:
            break
    kept = {}
    with OutcomeStore(settings) as store:
        names = list(store.all_events())
    for name in names:
        batch, _, row = name.removeprefix("id:A-").partition("-")
        kept.setdefault(int(batch), set()).add(row)
    assert set(kept) >= set(range(last + 1))
    assert all(len(rows) == 20 for rows in kept.values())


def test_nothing_is_made_where_outcomes_are_only_read(tmp_path):
    with OutcomeStore(at(tmp_path)) as store:
        assert (store.events(["a"]), store.erase("a"), store.retain(1)) == ({}, 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_sqlite_is_private(tmp_path):
    with OutcomeStore(at(tmp_path / "var")) as store:
        store.keep([outcome(1)])
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "var").iterdir()} == {0o600}


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"something else entirely " * 100])
def test_a_torn_or_foreign_file_is_named_and_an_empty_one_is_a_new_store(tmp_path, content):
    (tmp_path / "outcomes.db").write_bytes(content)
    with OutcomeStore(at(tmp_path)) as store:
        if not content:
            assert store.keep([outcome(1)]) == Kept(1, 0, 0)
            return
        for work in (lambda: store.keep([outcome(1)]), store.all_events):
            with pytest.raises(OutcomesUnavailable, match=r"outcomes\.db: .*not a database"):
                work()


def test_a_server_that_is_not_there_is_named_without_its_password():
    settings = at("var", f"postgresql://scorer:secret@127.0.0.1:{free_port()}/outcomes")
    with pytest.raises(OutcomesUnavailable) as caught:
        OutcomeStore(settings).keep([outcome(1)])
    assert "scorer:***@127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://user:secret@host/name", "postgresql://user:secret@host:port/name"])
def test_another_database_is_refused_with_what_to_give(tmp_path, url):
    with pytest.raises(ConfigError) as caught:
        open_database(url, tmp_path / "outcomes.db")
    assert "postgresql://user:password@host/name" in str(caught.value)
    assert "secret" not in str(caught.value)
