"""Made-up application ids."""

import time
import uuid

from models.identifiers import Identifiers


def test_an_id_is_a_uuid_of_version_7_and_holds_its_time():
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(Identifiers().new())
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_sort_by_time():
    times = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 2**48 - 1]
    identifiers = Identifiers()
    made = [identifiers.new(at) for at in times]
    assert made == sorted(made)
    assert all(uuid.UUID(text).version == 7 for text in made)


def test_ids_of_one_millisecond_differ():
    identifiers = Identifiers()
    assert len({identifiers.new(1_700_000_000_000) for _ in range(10_000)}) == 10_000
