"""Byte streams of HTTP clients: good requests, bad ones, pipelined, mutated, cut, sent in pieces; and what they get."""

import asyncio
import json
import random
import re
from collections.abc import Iterable
from typing import Any

Response = tuple[bytes, list[bytes], bytes]  # status line, headers, body with what comes after it
GARBAGE: Response = (b"HTTP/1.1 400 Bad Request", [], b"<closed>")  # the end of what is no HTTP
SILENCE_S = 0.25  # after which a server that has not closed is taken to wait for more
END = b"GET /other HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"  # what every stream ends with
VARYING = rb"date: [^\r\n]*\r\n|[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


class Streams:
    """Makes streams out of applicants; the same seed makes the same one."""

    def __init__(self, applicants: list[dict[str, Any]]) -> None:
        self._applicants = applicants

    def body(self, number: int, row: str = "a-1") -> bytes:
        """A body of one valid applicant."""
        return json.dumps({"applicants": [self._applicants[number] | {"application_id": row}]}).encode()

    def request(self, pick: random.Random) -> bytes:
        """One request."""
        body = self._body(pick)
        path = pick.choice([b"/predict"] * 6 + [b"/other", b"/predict?x=1", b"/nowhere", b"/predict/", b"/%70redict"])
        method = pick.choice([b"POST"] * 8 + [b"GET", b"PUT", b"HEAD"])
        version = pick.choice([b"HTTP/1.1"] * 9 + [b"HTTP/1.0"])
        headers = [b"host: localhost", b"content-type: application/json"]
        headers += pick.sample(
            [b"x-request-id: order 66", b"accept: */*", b"X-A: b", b"connection: keep-alive"], pick.randrange(3)
        )
        if pick.random() < 0.1:
            headers.append(
                pick.choice(
                    [
                        b"connection: close",
                        b"content-encoding: gzip",
                        b"expect: 100-continue",
                        b"x-forwarded-for: 192.0.2.1",
                        b"x-request-id: " + b"x" * 65,
                    ]
                )
            )
        if pick.random() < 0.15:
            at = pick.randrange(len(body) + 1)
            chunks = [chunk for chunk in (body[:at], body[at:]) if chunk]
            headers.append(b"transfer-encoding: chunked")
            body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        else:
            headers.append(b"content-length: %d" % len(body))
        return b"\r\n".join([b"%b %b %b" % (method, path, version), *headers, b"", body])

    def _body(self, pick: random.Random) -> bytes:
        rows = [
            dict(pick.choice(self._applicants), application_id=f"r-{pick.randrange(10**6)}")
            for _ in range(pick.choice((1, 1, 1, 2, 5)))
        ]
        fault = pick.randrange(12)
        if fault == 0:
            del rows[0]["duration_months"]
        elif fault == 1:
            rows[0]["duration_months"] = pick.choice([-3, "x", None, 1e300])
        body = json.dumps({"applicants": rows}).encode()
        if fault == 2:
            body = body[: pick.randrange(len(body))]
        elif fault == 3:
            body = pick.choice([b"", b"[]", b"{}", b"{", b'{"applicants": []}', b"\xff"])
        elif fault == 4 and pick.random() < 0.3:
            body += b" " * 120_000
        return body

    def pieces(self, seed: int) -> list[bytes]:
        """One stream in the pieces in which it is sent."""
        pick = random.Random(seed)
        requests = [self.request(pick) for _ in range(pick.choice((1, 1, 2, 3, 6)))]
        if pick.random() < 0.3:  # as most clients send them; their heads come again and again
            return [*requests, END]
        stream = b"".join(requests)
        if pick.random() < 0.3:  # a mutation
            at = pick.randrange(min(len(stream), 600))
            change = pick.choice([b"", bytes([pick.randrange(256)]), b"\r\n", b": ", b" "])
            stream = stream[:at] + change + stream[at + pick.randrange(2) :]
        if pick.random() < 0.1:  # cut: the rest never comes
            stream = stream[: pick.randrange(len(stream))]
        else:
            stream += END
        cuts = sorted(pick.randrange(len(stream) + 1) for _ in range(pick.choice((0, 0, 1, 2, 5))))
        return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) if a < b]

    async def compare(self, ours: int, theirs: int, seeds: Iterable[int], at_once: int) -> list[int]:
        """The seeds of streams that two servers, by their ports, answer differently."""
        slots, suspects = asyncio.Semaphore(at_once), []

        async def one(seed: int) -> None:
            async with slots:
                if not await self._alike(seed, ours, theirs, SILENCE_S):
                    suspects.append(seed)

        await asyncio.gather(*(one(seed) for seed in seeds))
        # A busy machine is silent for longer, so what differs is asked again, alone.
        return [seed for seed in suspects if not await self._alike(seed, ours, theirs, 8 * SILENCE_S)]

    async def _alike(self, seed: int, ours: int, theirs: int, silence_s: float) -> bool:
        pieces = self.pieces(seed)
        answers = [normal(await exchange(port, pieces, silence_s)) for port in (ours, theirs)]
        return alike(*answers)


def alike(ours: list[Response], theirs: list[Response]) -> bool:
    """Whether both have answered alike.

    When garbage follows, uvicorn drops responses that are on their way, and sends a refusal behind one that was sent;
    ours does neither. A connection that is closed while bytes come is reset, which takes away responses not read yet.
    """
    if ours == theirs:
        return True
    if any(b"<reset>" in responses[-1][0] + responses[-1][2] for responses in (ours, theirs)):
        common = min(len(ours), len(theirs)) - 1
        return ours[:common] == theirs[:common]
    *answers, last = theirs
    if last != GARBAGE or not ours[-1][2].endswith(b"<closed>"):
        return False
    begun = [(status, headers, body.removesuffix(b"<closed>")) for status, headers, body in ours]
    return begun[: len(answers)] == answers


async def exchange(port: int, pieces: list[bytes], silence_s: float = SILENCE_S) -> bytes:
    """All bytes that come back, and whether the server has closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.002)
        while more := await asyncio.wait_for(reader.read(65536), silence_s):
            received += more
        received += b"<closed>"
    except TimeoutError:
        received += b"<open>"
    except ConnectionError:
        received += b"<reset>"
    finally:
        writer.close()
    return received


def normal(received: bytes) -> list[Response]:
    """The responses without what differs by chance: status line, headers in any order, and the rest."""
    text = re.sub(VARYING, b"", received)
    responses = []
    for part in re.split(rb"(?=HTTP/1\.1 \d{3} )", text):
        head, _, body = part.partition(b"\r\n\r\n")
        status, *headers = head.split(b"\r\n")
        garbage = (
            status.startswith(b"HTTP/1.1 400") and b"Invalid HTTP request" in body
        )  # text in uvicorn, JSON in ours
        responses.append(GARBAGE if garbage else (status, sorted(headers), body))
    return responses
