"""Wrong keys by address: who waits, who does not, what is remembered, and what the log says."""

import ipaddress
import logging

import pytest

from serving.access.wrong_keys import AT_ONCE, MAX_ADDRESSES, MAX_DEBT_S, MAX_HOLD_S, WrongKeys


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def wrong_keys(clock):
    return WrongKeys(clock)


def send(wrong_keys: WrongKeys, address: str, times: int) -> list[float]:
    return [wrong_keys.hold_s(address, "unknown") for _ in range(times)]


def test_a_few_are_answered_at_once_then_answers_wait_up_to_a_limit(wrong_keys):
    holds = send(wrong_keys, "192.0.2.7", AT_ONCE + 50)
    assert holds[:AT_ONCE] == [0] * AT_ONCE
    assert 0 < holds[AT_ONCE] <= holds[AT_ONCE + 1] <= MAX_HOLD_S
    assert holds[-1] == MAX_HOLD_S
    assert send(wrong_keys, "192.0.2.8", 1) == [0], "another address does not wait"


def test_an_address_is_forgiven_after_a_minute_whatever_it_has_sent(wrong_keys, clock):
    send(wrong_keys, "192.0.2.7", 100_000)
    clock.now_s += MAX_DEBT_S
    assert send(wrong_keys, "192.0.2.7", AT_ONCE) == [0] * AT_ONCE


def test_the_addresses_of_an_ipv6_network_count_as_one(wrong_keys):
    network = ipaddress.ip_network("2001:db8::/64")
    holds = [wrong_keys.hold_s(str(network[number]), "unknown") for number in range(AT_ONCE + 1)]
    assert holds[-1] > 0
    assert send(wrong_keys, "2001:db8:0:1::1", 1) == [0]
    assert send(wrong_keys, "::ffff:192.0.2.7", AT_ONCE) == [0] * AT_ONCE
    assert send(wrong_keys, "192.0.2.7", 1) != [0], "the same address in another form"


def test_a_hundred_thousand_addresses_take_no_more_than_the_table_and_the_busiest_stays_in_it(wrong_keys, clock):
    busy = "192.0.2.7"
    for number in range(100_000):
        wrong_keys.hold_s(str(ipaddress.ip_address("2001:db8::") + (number << 64)), "unknown")
        if number % 1000 == 0:
            send(wrong_keys, busy, 2)
    assert len(wrong_keys) == MAX_ADDRESSES
    assert send(wrong_keys, busy, 1) == [MAX_HOLD_S]


def test_a_line_is_logged_every_ten_seconds_at_most_with_the_address_and_the_number(wrong_keys, clock, caplog):
    caplog.set_level(logging.WARNING)
    wrong_keys.report()
    send(wrong_keys, "192.0.2.7", 3)
    send(wrong_keys, "192.0.2.8", 1)
    wrong_keys.report()
    send(wrong_keys, "203.0.113.9\n2026 forged", 2_272)
    for _ in range(3):
        wrong_keys.report()
        clock.now_s += 5
    wrong_keys.report()
    assert [record.getMessage() for record in caplog.records] == [
        "4 wrong keys: 3 from 192.0.2.7, the others from 1 more",
        "2272 wrong keys: 2272 from an unknown address",
    ]
