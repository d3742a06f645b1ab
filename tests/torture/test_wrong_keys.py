"""A million wrong keys of as many addresses: memory stays, the log stays short, and the right key is answered."""

import asyncio
import re

import httpx
import psutil
import pytest

from tests.conftest import Server, apart
from tests.service.conftest import metric
from tests.service.test_keys import FILE, SECRETS

MIB = 2**20
AT_ONCE = 64


async def flood(port: int, first: int, number: int) -> None:
    """Send wrong keys on one connection, each of another IPv6 network, as a proxy on this machine would name it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for index in range(first, first + number):
        address = f"2001:{index >> 16:x}:{index & 0xFFFF:x}:1::1"
        head = (
            f"GET /model HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {address}\r\nx-api-key: scorer_wrong_{index}\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.readuntil(b"}}")
        assert answer.startswith(b"HTTP/1.1 401 ")
    writer.close()


@pytest.mark.timeout(3600)
def test_memory_stays_under_wrong_keys_of_many_addresses(trained, tmp_path, size, say):
    number = size(6_400, 1_000_000)
    (tmp_path / "keys.yaml").write_text(FILE)
    settings = {"SCORER_KEYS_FILE": str(tmp_path / "keys.yaml"), "SCORER_GRPC_HOST": "127.0.0.1"}
    server = Server(apart(trained, tmp_path) | settings, tmp_path / "serve.log")
    (worker,) = [
        process
        for process in psutil.Process(server.process.pid).children(recursive=True)
        if "_bentoml_impl.worker.service" in process.cmdline()
    ]

    async def floods(first: int, number: int) -> None:
        each = number // AT_ONCE
        await asyncio.gather(*(flood(server.port, first + index * each, each) for index in range(AT_ONCE)))

    try:
        warm_up = number // 10
        asyncio.run(floods(0, warm_up))  # fills the table, and the allocator's pools
        before = worker.memory_info().rss
        asyncio.run(floods(warm_up, number - warm_up))
        grown = worker.memory_info().rss - before
        say(f"{number:,} wrong keys: {grown / MIB:.1f} MiB more after the first {warm_up:,}")
        assert grown < 16 * MIB
        with httpx.Client(base_url=server.url, headers={"x-api-key": SECRETS["both"]}, timeout=30) as client:
            assert metric(client, "scorer_wrong_keys_total") >= 0.99 * number - AT_ONCE
        assert server.stop() == 0
        said = server.log.read_text()
        assert "scorer_wrong" not in said
        assert len(re.findall(r"\d+ wrong keys: ", said)) <= 2 + number / 1_000
    finally:
        server.stop()
