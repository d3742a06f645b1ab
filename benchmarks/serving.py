"""Requests a second of `POST /predict` on a running service: `python -m benchmarks.serving [url]`.

Keep-alive connections, each with one request on the way; validation, decision log and profiling are on, as ever.
Client and service share the machine, so take ratios between runs on one machine and not the absolutes.
"""

import asyncio
import json
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import numpy as np

LOADS = ((1, 1), (64, 1), (8, 256))  # connections, rows a request
SECONDS = 5.0


async def connection(host: str, port: int, request: bytes, until: float, taken_s: list[float]) -> None:
    """Send `request` again and again; note how long each answer took."""
    reader, writer = await asyncio.open_connection(host, port)
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        taken_s.append(time.perf_counter() - started)
    writer.close()


async def load(host: str, port: int, applicant: dict[str, object], connections: int, rows: int) -> list[float]:
    """Seconds of each request under one load."""
    body = json.dumps({"applicants": [applicant] * rows}).encode()
    headers = ["POST /predict HTTP/1.1", f"host: {host}", "content-type: application/json"]
    head = "\r\n".join([*headers, f"content-length: {len(body)}", "", ""])
    taken_s: list[float] = []
    until = time.perf_counter() + SECONDS
    await asyncio.gather(*(connection(host, port, head.encode() + body, until, taken_s) for _ in range(connections)))
    return taken_s


def main() -> None:
    """Run each load and print the table."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
    with urllib.request.urlopen(f"{url}/model") as answer:
        applicant = json.load(answer)["example"]
    where = urlsplit(url)
    print("| connections | rows a request | requests/s | rows/s | p50, ms | p99, ms |\n|---|---|---|---|---|---|")
    for connections, rows in LOADS:
        asyncio.run(load(where.hostname or "", where.port or 80, applicant, connections, rows))  # warm
        taken_s = asyncio.run(load(where.hostname or "", where.port or 80, applicant, connections, rows))
        rate = len(taken_s) / SECONDS
        p50, p99 = np.percentile(taken_s, [50, 99]) * 1e3
        print(f"| {connections} | {rows} | {rate:,.0f} | {rate * rows:,.0f} | {p50:.2f} | {p99:.2f} |")


if __name__ == "__main__":
    main()
