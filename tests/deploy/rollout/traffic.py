"""Clients of a deployment, in a process of their own: half keep their connections, half open one per request.

`python traffic.py PORT RATE BODIES`: sends RATE requests per second until its standard input ends, then prints what
came back. It never repeats a request, so that every failure counts.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.torture.conftest import Connection

CLIENTS = 8


async def client(port, bodies, pause_s, keeps, stop, seen, number):
    """Ask at a rate, as far as the service keeps up."""
    connection = Connection(port)
    due = time.monotonic() + pause_s * number / CLIENTS
    while not stop.is_set():
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due = max(due + pause_s, time.monotonic() - 1)
        began = time.monotonic()
        try:
            status, answer = await connection.ask(bodies[seen["sent"] % len(bodies)])
            outcome = str(status)
            if status == 200:
                seen[f"model {json.loads(answer)[0]['model']}"] += 1
        except (ConnectionError, ValueError) as error:
            outcome = f"{type(error).__name__} {'kept' if keeps else 'new'}: {error}"
        seen["sent"] += 1
        seen[outcome] += 1
        seen["slowest_ms"] = max(seen["slowest_ms"], int(1000 * (time.monotonic() - began)))
        if not keeps:
            connection.close()
    connection.close()


async def main(port, rate, bodies):
    stop, seen = asyncio.Event(), Counter()
    pause_s = CLIENTS / rate if rate else 0.0
    clients = [client(port, bodies, pause_s, n % 2 == 0, stop, seen, n) for n in range(CLIENTS)]
    running = asyncio.gather(*clients)
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await running
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(
        main(
            int(sys.argv[1]), float(sys.argv[2]), [line.encode() for line in Path(sys.argv[3]).read_text().splitlines()]
        )
    )
