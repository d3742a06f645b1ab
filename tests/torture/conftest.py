"""Faults over sockets, at two sizes: a short one with every test run, a long one with `make torture`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from tests.service.conftest import service

__all__ = ["service"]


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Callable[[float, float], Any]:
    """`size(short, long)`: which of the two this run wants."""
    long_run = request.config.getoption("--torture")
    return lambda short, long: long if long_run else short


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line on the terminal, whatever pytest captures: what was measured."""

    def line(text: str) -> None:
        with capfd.disabled():
            sys.stdout.write(f"\n{text}\n")

    return line


class Connection:
    """A keep-alive connection that asks one thing at a time.

    Args:
        port: of the service, on loopback.

    Attributes:
        head: of the last answer, in small letters.
    """

    def __init__(self, port: int) -> None:
        self.head = b""
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Connect now; `ask` does so where that has not been done."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, body: bytes, path: str = "/predict", more: str = "") -> tuple[int, bytes]:
        """Status and body of the answer; `ConnectionError` when there is none, and the next call connects anew."""
        try:
            if self._writer is None or self._reader is None:
                await self.connect()
            head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{more}"
            self._writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            self.head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = int(self.head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
            answer = await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError(str(error)) from error
        if b"connection: close" in self.head:
            self.close()
        return int(self.head.split()[1]), answer

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def keep_asking(
    port: int, body_of: Callable[[int], bytes], until: Callable[[], bool], told: Callable[[int, int, bytes], None]
) -> None:
    """One caller: ask, note the answer with `told(number, status, body)`, ask again; a lost connection is made anew."""
    connection, number = Connection(port), 0
    while not until():
        try:
            status, answer = await connection.ask(body_of(number))
        except ConnectionError:
            await asyncio.sleep(0.01)
        else:
            told(number, status, answer)
        number += 1
    connection.close()


async def together(callers: list[Coroutine[Any, Any, None]], beside: Awaitable[None]) -> None:
    """Run callers while `beside` happens."""
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(caller)
        await beside


def body_of(applicants: list[dict[str, Any]]) -> bytes:
    """The body that asks for these."""
    return json.dumps({"applicants": applicants}).encode()
