"""Where the microseconds of a request go: `python -m benchmarks.parts [tag]`.

A separate service is put under load, and the processor time of its worker and of its profiler is read. The parts that
are code of this project are timed here, alone, on the same requests and in batches of the size that the service made;
what is left of the worker's time is the protocol, the event loop and the kernel.
"""

import argparse
import re
import signal
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from benchmarks.applicants import bodies, draw
from benchmarks.contenders import OURS, find, service, settle
from benchmarks.generator import Generator
from benchmarks.grpc_load import message
from benchmarks.measurement import Load
from benchmarks.server import ROOT, Server
from models.artifact import Artifact
from models.prediction import Prediction
from models.request import RequestDecoder
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import LogKeys
from serving.v2.grpc_codec import GrpcCodec
from serving.v2.messages import Messages
from serving.v2.tensors import OUTPUTS, TensorDecoder

LEAD_S, SECONDS = 1.0, 6.0
REPEATS = 20  # of a part, of which the median counts
BATCHES = re.compile(r"^scorer_batch_rows_(sum|count)(?:{.*})? (\S+)$", re.MULTILINE)


class Way(NamedTuple):
    """One kind of load."""

    title: str
    rpc: bool
    rows: int  # of a request
    connections: int


WAYS = (
    Way("HTTP, one row", False, 1, 64),
    Way("gRPC, one row", True, 1, 64),
    Way("HTTP, 256 rows", False, 256, 8),
)


class Parts(NamedTuple):
    """Microseconds of processor time per request."""

    decode: float
    score: float
    log: float
    answer: float
    worker: float  # all of it, the parts before included
    profiler: float

    @property
    def rest(self) -> float:
        """Of the worker: the protocol, the event loop and the kernel."""
        return self.worker - self.decode - self.score - self.log - self.answer


class Code:
    """The parts that are code of this project, called as the service calls them."""

    def __init__(self, artifact: Artifact, folder: Path) -> None:
        self._artifact, self._scorer = artifact, artifact.encoded_scorer()
        self._decoder = RequestDecoder(artifact.schema, 4096)
        tensors = TensorDecoder(artifact.schema, 4096)
        self._codec = GrpcCodec(Messages(), tensors, artifact.manifest.name, artifact.manifest.version)
        self._log = DecisionLog(folder, 1 << 30, 3600, LogKeys())
        self._encode = msgspec.json.Encoder().encode

    def time(self, way: Way, requests: Sequence[bytes], batch: float) -> tuple[float, float, float, float]:
        """Microseconds per request of decoding, scoring, logging and answering, in batches of so many rows."""
        asked = max(1, round(batch / way.rows))  # requests of a batch
        requests = requests[: asked * (len(requests) // asked)]
        parsed = [self._codec.parse(body) for body in requests] if way.rpc else []
        each: list[list[Struct]] = [self._rows(way, body) for body in requests]
        batches = [list(chain(*each[first : first + asked])) for first in range(0, len(each), asked)]
        scored = [self._scorer.score(rows) for rows in batches]
        logged = [
            [Row("http", probability, decision, row) for row, (probability, decision) in zip(rows, found, strict=True)]
            for rows, found in zip(batches, scored, strict=True)
        ]
        tag, known = self._artifact.tag, [one for found in scored for one in found]
        answers = [[Prediction("0" * 36, *one, tag) for one in known[n : n + way.rows]] for n in range(len(requests))]

        def log() -> None:
            for rows in logged:
                self._log.append(tag, rows)

        def answer() -> None:
            if way.rpc:
                for request, predictions in zip(parsed, answers, strict=True):
                    self._codec.answer(request, tuple(OUTPUTS), predictions)
            else:
                for predictions in answers:
                    self._encode(predictions)

        count = len(requests)
        return (
            timed(lambda: [self._rows(way, body) for body in requests], count),
            timed(lambda: [self._scorer.score(rows) for rows in batches], count),
            timed(log, count),
            timed(answer, count),
        )

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _rows(self, way: Way, body: bytes) -> list[Struct]:
        if not way.rpc:
            return self._decoder.decode(body)
        request = self._codec.parse(body)
        self._codec.outputs(request)
        return self._codec.rows(request)


def timed(call: Callable[[], object], requests: int) -> float:
    """Microseconds of processor time per request: the median of some calls that do `requests` each."""
    taken = []
    for _ in range(REPEATS):
        began_s = time.process_time()
        call()
        taken.append((time.process_time() - began_s) / requests * 1e6)
    return statistics.median(taken)


def under_load(server: Server, generator: Generator, load: Load) -> tuple[float, float, float]:
    """Microseconds of the worker and of the profiler per request, and the rows of a batch."""
    (worker,), others = server.workers(), server.cpu_s
    first, rows, count = sum(worker.cpu_times()[:2]), *batches_of(server)
    all_s = others()
    measured = generator.measure(server.name, load)
    worker_s = sum(worker.cpu_times()[:2]) - first
    settle(server)
    profiler_s = others() - all_s - worker_s
    rows, count = (after - before for after, before in zip(batches_of(server), (rows, count), strict=True))
    return worker_s / measured.responses * 1e6, profiler_s / measured.responses * 1e6, rows / count


def batches_of(server: Server) -> tuple[float, float]:
    """Rows and batches so far."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        found = dict(BATCHES.findall(answer.read().decode()))
    return float(found.get("sum", 0)), float(found.get("count", 0))


def table(found: dict[str, tuple[Parts, float]]) -> str:
    """The parts as Markdown."""
    lines = ["| us per request | " + " | ".join(found) + " |", "|---|" + "---|" * len(found)]
    rows: list[tuple[str, Callable[[Parts], float]]] = [
        ("decode and validate", lambda parts: parts.decode),
        ("encode features, score", lambda parts: parts.score),
        ("decision log", lambda parts: parts.log),
        ("make the answer", lambda parts: parts.answer),
        ("protocol, event loop, kernel", lambda parts: parts.rest),
        ("**worker**", lambda parts: parts.worker),
        ("profiler, after the answer", lambda parts: parts.profiler),
    ]
    for name, of in rows:
        lines.append(f"| {name} | " + " | ".join(f"{of(parts):,.1f}" for parts, _ in found.values()) + " |")
    lines.append("| rows of a batch | " + " | ".join(f"{batch:.0f}" for _, batch in found.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure a separate service, and its parts here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag", nargs="?")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM stops the service too
    artifact = find(options.tag)
    applicants: list[dict[str, Any]] = draw(artifact.schema.dataset)
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder, code = Path(place), Code(artifact, Path(place) / "parts")
        with service(OURS, artifact, folder / "service") as server:
            server.wait(b"")
            for way in WAYS:
                sent = bodies(applicants, way.rows)
                (folder / "bodies").write_bytes(b"\n".join(sent))
                load = Load(
                    port=server.grpc_port if way.rpc else server.port,
                    bodies=str(folder / "bodies"),
                    connections=way.connections,
                    lead_s=LEAD_S,
                    seconds=SECONDS,
                    path=artifact.manifest.name if way.rpc else "/predict",
                )
                with Generator("benchmarks.grpc_load" if way.rpc else "benchmarks.load", ROOT) as generator:
                    worker_us, profiler_us, batch = under_load(server, generator, load)
                requests = [message(artifact.manifest.name, one) for one in applicants] if way.rpc else sent
                found[way.title] = Parts(*code.time(way, requests, batch), worker_us, profiler_us), batch
        code.close()
    print(table(found))


if __name__ == "__main__":
    main()
