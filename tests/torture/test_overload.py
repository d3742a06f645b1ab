"""More requests than can be answered: who is admitted is answered in time, the rest is told so at once."""

import asyncio
import statistics
import time

import httpx
import psutil

from tests.service.conftest import metric
from tests.service.test_records import processes
from tests.torture.conftest import Connection, body_of

ROWS = 64  # a request: the callers are not to be the slower side
LATENCY_S = 1.0  # max_queue_ms of configs/service.yaml


async def flood(port, body, connections, rate, seconds):
    """Requests at `rate` a second, answered or not, on so many connections; (status, seconds) of each."""
    found, free = [], [Connection(port) for _ in range(connections)]

    async def one(connection):
        began = time.perf_counter()
        status, _ = await connection.ask(body)
        found.append((status, time.perf_counter() - began))
        free.append(connection)

    start, sent, tasks = time.perf_counter(), 0, set()
    while (now := time.perf_counter() - start) < seconds:
        while sent < now * rate and free:
            task = asyncio.ensure_future(one(free.pop()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        sent = max(sent, int(now * rate) - connections)  # who found no connection does not come back later
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    for connection in free:
        connection.close()
    return found


def test_overload_refuses_some_and_answers_the_rest(trained, serve, german_applicants, size, say):
    queue = {"SCORER_MAX_ROWS": "2000"}  # so that few connections are enough to fill it
    service = serve(trained, **queue)
    body = body_of(german_applicants[:ROWS])
    worker = psutil.Process(processes(service)["worker"][0].pid)
    capacity = len(asyncio.run(flood(service.port, body, 8, 1e9, 2))) / 2
    before = worker.memory_info().rss
    found = asyncio.run(flood(service.port, body, 400, 3 * capacity, size(4, 30)))
    grown = worker.memory_info().rss - before

    statuses = [status for status, _ in found]
    assert set(statuses) == {200, 503}, "at three times its capacity a service refuses some, and fails none"
    assert grown < 200e6, "memory grows with the load"
    with httpx.Client(base_url=service.url, timeout=30) as client:
        began = time.perf_counter()
        while client.post("/predict", content=body).status_code != 200:
            time.sleep(0.01)
        recovered_s = time.perf_counter() - began
        assert metric(client, "scorer_rejected_total") >= statuses.count(503)
    admitted = [taken_s for status, taken_s in found if status == 200]
    p99_s = statistics.quantiles(admitted, n=100)[98]
    say(
        f"capacity {capacity:.0f} requests/s of {ROWS} rows; {len(admitted)} admitted, p99 {p99_s * 1e3:.0f} ms, "
        f"{statuses.count(503)} refused, memory +{grown / 1e6:.0f} MB, back after {recovered_s * 1e3:.0f} ms"
    )
    if size(False, True):
        assert p99_s < LATENCY_S
        assert recovered_s < 2
