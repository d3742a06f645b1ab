"""Memory of a worker under what it refuses, over both protocols: it does not grow, and large ones leave nothing."""

import asyncio
import threading
from collections import Counter

import grpc
import pytest

from tests.service.conftest import until
from tests.service.test_bombs import BOMBS, LARGE, post
from tests.service.test_grpc import SERVICE
from tests.service.test_grpc_admission import MB, Peak, flood, worker
from tests.service.test_keys import FILE
from tests.torture.conftest import Connection

pytestmark = pytest.mark.slow

CALLERS = 64
SMALL = (b"{", b'{"applicants": [{}]}', b'{"applicants": [{"x": 1, "y": [1, 2]}]}', b'{"applicants": [1]}', b"[]")


@pytest.fixture
def keyed(trained, serve, tmp_path):
    """A service that asks for keys."""
    (tmp_path / "keys.yaml").write_text(FILE)
    return serve(trained, SCORER_KEYS_FILE=str(tmp_path / "keys.yaml"))


def resting_mb(server):
    return worker(server).memory_info().rss / MB


def refused_over_http(port, number):
    """Have so many small bodies refused."""
    statuses = Counter()

    async def ask(first):
        connection = Connection(port)
        for index in range(first, number, CALLERS):
            status, _ = await connection.ask(SMALL[index % len(SMALL)])
            statuses[status] += 1
        connection.close()

    async def run():
        async with asyncio.TaskGroup() as group:
            for first in range(CALLERS):
                group.create_task(ask(first))

    asyncio.run(run())
    assert statuses.total() == number
    assert set(statuses) <= {400, 422}


def refused_over_grpc(address, number):
    """Have so many small messages refused."""
    codes = Counter()

    async def ask(call, calls):
        for index in range(calls):
            try:
                await call(SMALL[index % len(SMALL)])
            except grpc.RpcError as error:
                codes[error.code()] += 1

    async def run():
        async with grpc.aio.insecure_channel(address) as channel, asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(ask(channel.unary_unary(f"/{SERVICE}/ModelInfer"), number // CALLERS))

    asyncio.run(run())
    assert codes.total() == number // CALLERS * CALLERS


@pytest.mark.timeout(3600)
def test_a_million_refused_requests_take_no_memory(service, size, say):
    number = size(10_000, 1_000_000)
    for refuse, target in ((refused_over_http, service.port), (refused_over_grpc, service.grpc)):
        refuse(target, number // 4)
        before_mb = resting_mb(service)
        refuse(target, number)
        until(lambda before_mb=before_mb: resting_mb(service) < 1.05 * before_mb, within_s=60)
        say(f"{refuse.__name__}: {number:,} small ones, {before_mb:.0f} MB before, {resting_mb(service):.0f} after")


@pytest.mark.timeout(3600)
def test_large_ones_that_are_refused_leave_nothing_however_many_there_are(service, size, say):
    before = Peak(worker(service))
    bodies = [*LARGE.values(), *BOMBS.values()]

    def send(first):
        for number in range(first, size(17, 1_700), 4):
            assert 400 <= post(service, *bodies[number % len(bodies)])[0] < 500

    senders = [threading.Thread(target=send, args=(first,)) for first in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    until(before.is_back, within_s=60)
    say(f"large: {before.before:.0f} MB before, {before.growth:.0f} more at most, {resting_mb(service):.0f} after")


@pytest.mark.timeout(3600)
def test_floods_over_grpc_leave_nothing(keyed, size, say):
    before = Peak(worker(keyed))
    calls, connections = size(100, 300), size(20, 60)
    for _ in range(size(1, 20)):
        codes = flood(keyed, calls, connections, 16 << 20)
        assert codes == {grpc.StatusCode.UNAUTHENTICATED: calls}
    say(
        f"without a key: {before.before:.0f} MB before, {before.growth:.0f} more at most, {resting_mb(keyed):.0f} after"
    )
    assert before.growth < 150
    until(before.is_back, within_s=60)
