"""Resident memory of a worker before and after many requests: `python -m benchmarks.memory [tag] --requests 1000000`.

One row per request on 64 connections to a separate service. Exits with 1 if memory exceeds a bound.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import psutil
from msgspec import Struct

from benchmarks.applicants import bodies, draw
from benchmarks.contenders import OURS, find, service, settle
from benchmarks.generator import Generator
from benchmarks.measurement import Load
from benchmarks.server import ROOT, Server
from benchmarks.verdict import Bound, bounds_table

CONNECTIONS = 64
WARM_UP = (
    100_000  # requests; a worker grew from 161 to 215 MB in its first 65,000, and did not grow in the next 330,000
)
SLICE_S = 2.0
MB = 1_000_000


class Memory(Struct, frozen=True, kw_only=True):
    """Megabytes of the largest worker at two readings, the requests between them, and those before the first."""

    before_mb: float
    after_mb: float
    requests: int
    warm_up: int

    def bounds(self) -> list[Bound]:
        """The two bounds on memory."""
        cold = "" if self.warm_up >= WARM_UP else f"a worker grows in its first {WARM_UP:,} requests"
        growth = (self.after_mb / self.before_mb - 1) * 100
        return [
            Bound(what="resident memory of a worker", value=self.after_mb, least=300, at_most=True, unit=" MB"),
            Bound(
                what=f"its growth over {self.requests:,} requests, after {self.warm_up:,}",
                value=growth,
                least=2,
                at_most=True,
                unit=" %",
                unjudged=cold,
            ),
        ]


def resident_mb(server: Server) -> float:
    """Resident memory of the largest worker."""
    return max(float(process.memory_info().rss) for process in server.workers()) / MB


def measure(server: Server, generator: Generator, load: Load, requests: int) -> Memory:
    """Warm up, read, send at least `requests`, read again; before each reading the profiler catches up."""
    warm_up = min(WARM_UP, requests)
    send(server, generator, load, warm_up)
    before_mb = resident_mb(server)
    sent = send(server, generator, load, requests)
    return Memory(before_mb=before_mb, after_mb=resident_mb(server), requests=sent, warm_up=warm_up)


def send(server: Server, generator: Generator, load: Load, requests: int) -> int:
    """Send at least `requests`, wait until they are profiled, and return how many were sent."""
    sent = 0
    while sent < requests:
        sent += generator.measure(server.name, load).requests
    settle(server)
    return sent


def main() -> None:
    """Measure a separate service."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag", nargs="?")
    parser.add_argument("--requests", type=int, default=1_000_000)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM stops the service too
    artifact = find(options.tag)
    with tempfile.TemporaryDirectory() as folder, Generator("benchmarks.load", ROOT) as generator:
        rows = bodies(draw(artifact.schema.dataset), 1)
        sent = Path(folder) / "bodies"
        sent.write_bytes(b"\n".join(rows))
        with service(OURS, artifact, Path(folder) / "service") as server:
            server.wait(rows[0])
            load = Load(port=server.port, bodies=str(sent), connections=CONNECTIONS, lead_s=0, seconds=SLICE_S)
            memory = measure(server, generator, load, options.requests)
    print(f"{psutil.cpu_count()} cores, {artifact.tag}: {memory.before_mb:.0f} MB before\n")
    print(bounds_table(memory.bounds()))
    sys.exit(any(bound.verdict == "MISSED" for bound in memory.bounds()))


if __name__ == "__main__":
    main()
