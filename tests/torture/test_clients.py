"""Callers that are slow, idle, half there or gone: they harm nobody, and leave nothing behind."""

import asyncio
import contextlib
import socket

import httpx
import psutil
import pytest

from tests.service.test_records import processes
from tests.torture.conftest import Connection, body_of

HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"


@pytest.fixture(scope="module")
def quick(trained, tmp_path_factory):
    """A service that gives a request up after a second."""
    from tests.conftest import Server, apart

    home = tmp_path_factory.mktemp("clients")
    server = Server(apart(trained, home) | {"SCORER_TIMEOUT_S": "1"}, home / "serve.log")
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


async def answers(service, body, requests):
    """Good requests meanwhile: all are answered."""
    connection = Connection(service.port)
    for _ in range(requests):
        status, _ = await connection.ask(body)
        assert status == 200
    connection.close()


def descriptors(service):
    return psutil.Process(processes(service)["worker"][0].pid).num_fds()


async def dribble(service):
    """Send one byte now and then; the status that ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(HEAD)
    status = asyncio.ensure_future(reader.readuntil(b"\r\n"))
    while not status.done():
        writer.write(b" ")
        await asyncio.sleep(0.05)
    writer.close()
    return status.result()


async def vanish(service, sent):
    """Send so many bytes of a request, and reset the connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write((HEAD + b"x" * 100_000)[:sent])
    await writer.drain()
    inside = writer.get_extra_info("socket")
    inside.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.close()


async def half_close(service, body):
    """Send a request, shut the sending side, and read on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(HEAD.replace(b"100000", str(len(body)).encode()) + body)
    writer.write_eof()
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


def test_strange_callers_harm_nobody_and_leave_nothing_open(quick, german_applicants, size):
    body = body_of(german_applicants[:2])
    callers = size(20, 500)
    asyncio.run(answers(quick, body, 5))
    before = descriptors(quick)

    async def run():
        slow, *_ = await asyncio.gather(
            asyncio.gather(*(dribble(quick) for _ in range(callers))),
            answers(quick, body, 10 * callers),
            *(vanish(quick, sent) for sent in range(1, 100 * callers, 100)),
            *(half_close(quick, body) for _ in range(callers)),
        )
        return slow

    slow = asyncio.run(run())
    assert all(line.startswith(b"HTTP/1.1 504") for line in slow), "who is slow is told so"
    with httpx.Client(base_url=quick.url) as client:
        for _ in range(100):
            if descriptors(quick) <= before + 2:
                break
            client.get("/livez")
        assert descriptors(quick) <= before + 2


def test_idle_connections_do_no_harm(quick, german_applicants, size):
    body = body_of(german_applicants[:2])
    memory = psutil.Process(processes(quick)["worker"][0].pid).memory_info().rss
    before = descriptors(quick)

    async def run():
        idle = [await asyncio.open_connection("127.0.0.1", quick.port) for _ in range(size(200, 5000))]
        await answers(quick, body, 200)
        for _, writer in idle:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in idle))
        await answers(quick, body, 200)

    asyncio.run(run())
    assert descriptors(quick) <= before + 2
    assert psutil.Process(processes(quick)["worker"][0].pid).memory_info().rss - memory < 100e6
