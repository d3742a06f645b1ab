"""Processes die at random moments under load: no answer is lost, none is profiled twice, and the service is back."""

import asyncio
import itertools
import json
import random
import signal
import time

import psutil

from tests.service.test_records import caught_up, logged, processes
from tests.torture.conftest import body_of, keep_asking, together

CALLERS = 8
WHO = ("one of two workers", "profiler", "both workers")
BACK_S = 30  # seconds in which whatever was killed has to be there again


async def killing(service, pick, kills, answers):
    """Kill a worker, the profiler, or all workers; wait until everything is there again; how long each silence was."""
    silences = []
    for turn in range(kills):
        await asyncio.sleep(pick.uniform(0.2, 1.0))
        there = processes(service)
        victims = [there["worker"][:1], there["profiler"], there["worker"]][turn % 3]
        killed_s = time.monotonic()
        for process in victims:
            process.send_signal(signal.SIGKILL)
        while True:
            await asyncio.sleep(0.1)
            assert time.monotonic() - killed_s < BACK_S, (
                f"not back after kill {turn}\n{service.log.read_text()[-3000:]}"
            )
            now = processes(service)
            alive = [p for p in now["worker"] + now["profiler"] if p.status() != psutil.STATUS_ZOMBIE]
            if len(alive) == 3 and not set(alive) & set(victims) and answers and answers[-1] > killed_s:
                break
        after = [killed_s, *(at for at in answers if at > killed_s)]
        silences.append((turn % 3, max(b - a for a, b in itertools.pairwise(after))))
    return silences


def test_kills_at_random_lose_no_answer_and_profile_none_twice(trained, serve, tmp_path, german_applicants, size, say):
    service = serve(trained, workers=2, SCORER_INTERVAL_S="0.2")
    pick = random.Random(0)
    answered, times, over = {}, [], asyncio.Event()
    silences = []

    def asked(caller):
        return lambda n: body_of([german_applicants[n % 1000] | {"application_id": f"private-{caller}-{n}"}])

    def told(number, status, answer):
        assert status in {200, 503}, answer
        if status == 200:
            (row,) = json.loads(answer)
            answered[row["application_id"]] = row["probability"]
            times.append(time.monotonic())

    async def beside():
        silences.extend(await killing(service, pick, size(3, 20), times))
        over.set()

    async def run():
        await together([keep_asking(service.port, asked(n), over.is_set, told) for n in range(CALLERS)], beside())

    asyncio.run(run())
    assert service.stop() == 0
    found = logged(tmp_path / "var")
    assert {key: found.get(key) for key in answered} == answered
    assert caught_up(tmp_path / "var")["served"] == len(found)
    say("longest silence, s: " + ", ".join(f"{WHO[who]} {silence:.1f}" for who, silence in silences))
    if size(False, True):
        assert all(silence < (10 if who == 2 else 1) for who, silence in silences)
