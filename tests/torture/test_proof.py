"""Everything that may happen to records at once: writers that are killed, erasure, compaction, upkeep and verifying."""

import contextlib
import os
import random
import signal
import time

import pytest

from monitoring.profiles.profiler import catch_up
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.erasure import erase
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof.verification import verify
from monitoring.records.segments import segments, size_bytes
from monitoring.records.upkeep import Upkeep, exclusive_upkeep
from tests.monitoring.conftest import fork, rows
from tests.monitoring.records.proof.conftest import ENCRYPTED, SIGNED

__all__ = ["fork", "rows"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_records_stay_intact_through_kills_erasure_and_compaction(tmp_path, rows, fork, size):
    """Two writers write and are killed, a third process cares for the records and is killed; all is verified always."""
    for number, keys in enumerate(size([ENCRYPTED], [ENCRYPTED, SIGNED, LogKeys()])):
        upheaval(tmp_path / str(number), keys, rows, fork, rounds=size(1, 20))


def upheaval(directory, keys, rows, fork, rounds):
    """Check after each round, and at every moment of it."""
    chance = random.Random(1)

    def write():
        log = DecisionLog(directory, 3000, keys=keys)
        for number in range(10**6):
            log.append("m:1", rows(1 + number % 5, number % 40))
            time.sleep(0.001)

    def care():
        for number in range(10**6):
            catch_up(directory, 3600, 64, keys=keys)
            with contextlib.suppress(BlockingIOError), exclusive_upkeep(directory, keys):
                erase(directory, f"application {number % 40}", keys)
            with contextlib.suppress(BlockingIOError), exclusive_upkeep(directory, keys):
                compact(directory, keys)
            Upkeep(directory, 0, keys).run()

    for _ in range(rounds):
        children = [fork(write), fork(write), fork(care)]
        until_s = time.monotonic() + chance.uniform(0.5, 2.0)
        while time.monotonic() < until_s:
            assert verify(directory, keys).broken == []
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert verify(directory, keys).broken == []
    assert catch_up(directory, 3600, 64, keys=keys)
    with exclusive_upkeep(directory, keys):
        compact(directory, keys)
    # A writer that was killed before its first row leaves an empty file.
    assert [path for path in segments(directory) if size_bytes(path)] == []
    seen = verify(directory, keys)
    assert (seen.broken, seen.rows > 0) == ([], True)
    assert not [note for note in seen.notes if "not sealed" in note]
