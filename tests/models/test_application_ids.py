"""Made-up application ids."""

import time
import uuid

from models.application_ids import ApplicationIds


def test_an_id_is_a_uuid_of_version_7_and_holds_its_time():
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(ApplicationIds().take(1)[0])
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_sort_by_time():
    times = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 2**48 - 1]
    identifiers = ApplicationIds()
    made = [identifiers.take(1, at)[0] for at in times]
    assert made == sorted(made)
    assert all(uuid.UUID(text).version == 7 for text in made)


def test_ids_of_one_millisecond_differ():
    identifiers = ApplicationIds()
    made = [identifier for count in (1, 500, 9_499) for identifier in identifiers.take(count, 1_700_000_000_000)]
    assert len(set(made)) == 10_000
    assert {uuid.UUID(text).variant for text in made} == {uuid.RFC_4122}
